"""Template tags in Markdown (Liquid, as Jekyll sites use it; kramdown's own marks).

Only what a reader would see is kept: texts handed to an include, what stands inside a
block tag. Code is left alone, where ``{{ name }}`` is what the author wrote about.
"""

import re

_MARKS = ("{%", "{{", "{:")
# Lengths are bounded and repeats possessive: a file of unclosed marks takes linear time.
_PIECE = re.compile(
    r"(?P<fence>^[ \t>]*(?P<ticks>`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t>]*(?P=ticks)[`~]*[ \t]*$|\Z))"
    r"|(?P<code>(?<!`)(?P<tick>`++)[^\n]*?(?:\n(?![ \t]*\n)[^\n]*?)?(?<!`)(?P=tick)(?!`))"
    r"|(?P<comment>\{%-?\s*comment\s*-?%\}.{0,20000}?\{%-?\s*endcomment\s*-?%\}"
    r"|\{::comment\}.{0,20000}?\{:/(?:comment)?\})"
    r"|(?P<highlight>\{%-?\s*highlight(?P<language>[^%]*?)-?%\}(?P<body>.{0,20000}?)\{%-?\s*endhighlight\s*-?%\})"
    r"|(?P<raw>\{%-?\s*raw\s*-?%\}(?P<rawbody>.{0,20000}?)\{%-?\s*endraw\s*-?%\})"
    r"|(?P<address>(?<=\]\()\s*\{%(?P<target>[^}]*?)%\})"
    r"|\{%-?\s*(?P<name>[\w-]+)(?P<arguments>(?:[^%]|%(?!\})){0,2000}+)%\}"
    r"|\{\{-?(?P<output>[^{}]*?)-?\}\}"
    # A list of attributes; "{:.2f}" and "{:>10}" are somebody's formats of numbers.
    r"|(?P<kramdown>\{:(?:[:/]|\s*(?:\.[A-Za-z]|#[A-Za-z][\w-]|[\w-]+=[\"']|[\w-]+:\s|toc\b)"
    r"|\s+[A-Za-z][\w-]+\s*(?=\}))[^{}\n]*\})",
    re.DOTALL | re.MULTILINE,
)
_QUOTED = re.compile(r"""(?:([\w-]+)\s*[=:]\s*)?("[^"]*"|'[^']*')""")
_TEXT_ARGUMENTS = frozenset(
    "alt body caption content description heading label message note subtitle "  # noqa: SIM905
    "summary text title".split()
)
_PATH_LIKE = re.compile(r"^\S*[/\\]\S*$|^\S+\.[a-z]{2,5}$|^#?$", re.IGNORECASE)
_BOX = frozenset("alert callout details note panel tip warning".split())  # noqa: SIM905
_STYLES = frozenset("danger default error info note primary success tip warning".split())  # noqa: SIM905


def strip_liquid(text: str, values: dict[str, str]) -> str:
    """Replace template tags by what they show.

    :param text: Markdown without its front matter.
    :param values: The page's own facts, which ``{{ page.name }}`` shows.
    """
    if not any(mark in text for mark in _MARKS):
        return text
    # Without a tag, double braces are more likely somebody's text about templates.
    is_template = "{%" in text

    def replace(found: re.Match[str]) -> str:
        if found["fence"] or found["code"]:
            return found[0]
        if found["comment"] or found["kramdown"]:
            return ""
        if found["highlight"]:
            return f"\n```{found['language'].strip()}\n{found['body'].strip()}\n```\n"
        if found["raw"]:
            return found["rawbody"]
        if found["address"]:
            return next((q[1:-1] for _, q in _QUOTED.findall(found["target"])), "#").replace(
                " ", ""
            )
        if found["name"]:
            return _shown(found["name"], found["arguments"])
        output = found["output"].strip()
        literal = re.match(r"""["'](.*?)["']\s*(?:\||$)""", output)
        if literal:
            return literal[1]
        if output.startswith("page.") and output[5:] in values:
            return values[output[5:]]
        return "" if is_template else found[0]

    return _PIECE.sub(replace, text)


def _shown(name: str, arguments: str) -> str:
    """Return what a tag shows of its own arguments."""
    if name in _BOX:
        words = arguments.strip(" -").split()
        while words and words[0].lower() == words[0] and words[0] in _STYLES:
            words.pop(0)
        return f"\n\n{' '.join(words)}\n\n" if words else "\n\n"
    if name.startswith("end") and name[3:] in _BOX:
        return "\n\n"
    if name in ("assign", "capture", "if", "elsif", "unless", "for", "case", "when"):
        return ""
    texts = []
    for key, quoted in _QUOTED.findall(arguments):
        value = quoted[1:-1].strip()
        if key and key not in _TEXT_ARGUMENTS and " " not in value:
            continue
        if not _PATH_LIKE.match(value):
            texts.append(value)
    if name.startswith("include") and texts:
        # What an include shows is a box of its own, each text a paragraph.
        return "\n\n" + "\n\n".join(texts) + "\n\n"
    return " ".join(texts)
