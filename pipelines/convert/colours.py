"""Colours of text and ground, and when a reader tells them apart."""

import re

Colour = tuple[int, int, int]

# How far one part has to be from the other's to be seen (of 255).
SEEN = 24


def differ(one: Colour, other: Colour) -> bool:
    """Whether two colours are told apart."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) >= SEEN


def from_hex(text: str | None) -> Colour | None:
    """Read six hexadecimal digits, red first; None where it is anything else."""
    if text is None or not re.fullmatch(r"[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
