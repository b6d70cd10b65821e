"""What the signs of symbol fonts stand for, which Word stores by their places in the font."""

# Adobe's Symbol encoding, as far as its signs are whole characters.
_FROM_SPACE = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?"
    "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"
    "‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
)
_FROM_EURO = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑"
_SYMBOL = dict(enumerate(_FROM_SPACE, 0x20)) | dict(enumerate(_FROM_EURO, 0xA0))
_SYMBOL |= {0xF1: "⟩", 0xF2: "∫"}
# Boxes of Wingdings, its second font and Segoe UI Symbol.
_CHECKED = frozenset([0xF052, 0xF053, 0xF054, 0xF0FD, 0xF0FE, 0xF0FC, 0xF078, 0x2611, 0x2612])
_UNCHECKED = frozenset([0xF0A8, 0xF06F, 0xF071, 0xF072, 0x2610])
# The bullets and arrows of Wingdings that Word itself puts in.
_WINGDINGS = {
    0x6C: "•", 0x6E: "■", 0x76: "❖", 0x9F: "•", 0xA7: "▪", 0xD8: "➢", 0xDF: "←", 0xE0: "→",
    0xE8: "➔", 0xF0: "⇨",
}  # fmt: skip
UNKNOWN = "\ufffd"
"""Stands for a sign whose meaning is not known."""


def sign(font: str, code: str) -> str:
    """Return the character that a sign of a font shows, or :data:`UNKNOWN`.

    :param font: The font's name.
    :param code: Its place in hexadecimal, in the private use area or below it.
    """
    try:
        place = int(code, 16)
    except ValueError:
        return UNKNOWN
    name = font.lower()
    in_font = place - 0xF000 if 0xF000 <= place <= 0xF0FF else place
    if name == "symbol":
        return _SYMBOL.get(in_font, UNKNOWN)
    if place in _CHECKED:
        return "☒"
    if place in _UNCHECKED:
        return "☐"
    if name == "wingdings":
        return _WINGDINGS.get(in_font, UNKNOWN)
    # In any other font a place outside the private use area is the character's own.
    is_own = 0x20 <= place < 0xD800 and not name.startswith(("wingdings", "webdings"))
    return chr(place) if is_own else UNKNOWN
