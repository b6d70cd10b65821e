"""Make text from elsewhere safe to print: documents, questions and models may hold anything.

Control characters and escape sequences could repaint a terminal, set its clipboard or
forge what the product says; overriding text directions make a text read as another.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

# Line ends of other conventions; each becomes one newline, so that offsets hold.
_LINE_END = re.compile("\r(?!\n)|[\x0b\x0c\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and movements
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)"  # titles
    "|[\x00-\x08\x0e-\x1f\x7f-\x9f\r]"
    "|[\u202a-\u202e\u2066-\u2069]"  # overriding directions
    "|[\ud800-\udfff\ufeff\U000e0000-\U000e007f]"  # halves of characters, and invisible ones
)
_ESCAPED_IN_JSON = re.compile(
    "[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)

# Of an address with credentials, the password.
_PASSWORD = re.compile(r"(://[^\s/:@\"]*:)[^\s/@\"]+(?=@)")

Span = tuple[int, int]


def printable(text: str) -> str:
    """Return a text without anything that a terminal would obey; newlines and tabs stay."""
    return _UNPRINTABLE.sub("", _LINE_END.sub("\n", text))


def without_passwords(text: str) -> str:
    """Return a text, such as JSON, without the passwords of addresses in it."""
    return _PASSWORD.sub(r"\1***", text)


def one_line(text: str) -> str:
    """Return a printable text on one line, as names and titles are to be."""
    return " ".join(printable(text).split())


def printable_spans(text: str, spans: Iterable[Span]) -> tuple[str, list[Span]]:
    """Return a printable text with the places that stretches of the text have in it.

    :param text: The text.
    :param spans: Stretches of it, as offsets.
    """
    text = _LINE_END.sub("\n", text)
    ends: list[int] = []
    removed = [0]
    for match in _UNPRINTABLE.finditer(text):
        ends.append(match.end())
        removed.append(removed[-1] + match.end() - match.start())

    def moved(offset: int) -> int:
        before = bisect_left(ends, offset + 1)
        inside = 0
        if before < len(ends):
            start = ends[before] - (removed[before + 1] - removed[before])
            inside = max(offset - start, 0)
        return offset - removed[before] - inside

    return _UNPRINTABLE.sub("", text), [(moved(start), moved(end)) for start, end in spans]


def to_json(value: Any) -> str:
    """Return JSON on one line that reads as it is and that a terminal shows as it stands."""
    return _ESCAPED_IN_JSON.sub(
        lambda match: json.dumps(match.group())[1:-1], json.dumps(value, ensure_ascii=False)
    )
