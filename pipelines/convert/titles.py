"""Which titles that programs write into a file are titles."""

import re

from pipelines.convert.extracted import clean

_PROGRAM = re.compile(
    r"^(?:microsoft (?:word|powerpoint|excel)|powerpoint presentation|ppt)\s*[-–:]?\s*", re.I
)
_FILE = re.compile(
    r"^\S+\.(?:docx?|pptx?|xlsx?|pdf|indd|rtf|odt|html?|txt|p65|qxd|fm|pub|ai|eps)$", re.I
)
_EMPTY = frozenset(
    "document documents untitled title presentation template slide page word none no "  # noqa: SIM905
    "unknown anonymous unspecified blank draft form new".split()
)


def meaningful_title(text: str | None) -> str | None:
    """Return a document property's title without what a program put there; None if nothing is left.

    ``Microsoft Word - report.doc``, ``PowerPoint Presentation`` and ``untitled-1`` are none.
    """
    shown = _PROGRAM.sub("", clean(text or "")).strip(" -_")
    words = re.findall(r"[^\W\d_]+", shown.lower())
    if not words or _FILE.match(shown) or all(word in _EMPTY for word in words):
        return None
    return shown
