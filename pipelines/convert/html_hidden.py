"""Which parts of a web page a reader does not see.

Text hidden from people but not from machines is how instructions are slipped into an
index; it is left out. What a click shows (details, accordions, tabs) is visible.
"""

import re
from itertools import product, starmap
from typing import cast

from lxml import etree

from pipelines.convert.colours import differ, from_hex
from pipelines.convert.extracted import clean

SKIPPED = frozenset(
    "script style template noscript head title meta link base nav iframe object "  # noqa: SIM905
    "embed audio video "
    "canvas map area datalist param source track colgroup col".split()
)
_AT_RULE = re.compile(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
# What holds on paper, or in the dark, says nothing of what the page looks like.
_ELSEWHERE = re.compile(r"@media[^{]*\b(?:print|dark)\b", re.IGNORECASE)
_RULE = re.compile(r"([^{}@;]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"^(?:[a-z][a-z0-9]*)?[.#][\w-]+$|^[a-z][a-z0-9]*$", re.IGNORECASE)
_ZERO = r"0*(?:\.0+)?(?:px|pt|em|rem|%)?"
_HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    rf"|opacity\s*:\s*{_ZERO}\s*(?:!|;|$)"
    rf"|font-size\s*:\s*(?:{_ZERO}|[01](?:\.\d+)?p[xt])\s*(?:!|;|$)"
    r"|text-indent\s*:\s*-\d{3,}|(?:left|top|right|bottom)\s*:\s*-\d{4,}"
    r"|transform\s*:[^;]*\bscale(?:3d|[xy])?\(\s*0*(?:\.0+)?\s*[,)]"
    r"|clip\s*:\s*rect\(\s*0(?:px)?[ ,]+0(?:px)?[ ,]+0|clip-path\s*:\s*inset\(\s*(?:50|100)%)",
    re.IGNORECASE,
)
_FLAT = re.compile(rf"(?:^|;)\s*(?:max-)?(?:height|width)\s*:\s*{_ZERO}\s*(?:!|;|$)", re.IGNORECASE)
_CUT = re.compile(r"(?:^|;)\s*overflow(?:-[xy])?\s*:\s*(?:hidden|clip)", re.IGNORECASE)
# What makes room all the same, or on a click.
_ROOM = re.compile(r"padding|min-(?:height|width)|aspect-ratio|transition", re.IGNORECASE)
_INK = re.compile(r"(?:^|;)\s*color\s*:\s*([^;!]+)", re.IGNORECASE)
_GROUND = re.compile(r"(?:^|;)\s*background(?:-color|-image)?\s*:\s*([^;!]+)", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-f]+|[a-z]+(?:\([^)]*\))?")
_TRANSPARENT, _UNKNOWN, _WHITE = "transparent", "unknown", "ffffff"
_NAMED = {"white": _WHITE, "black": "000000", "none": _TRANSPARENT, "transparent": _TRANSPARENT}
_NAMED |= {"snow": "fffafa", "ivory": "fffff0", "ghostwhite": "f8f8ff", "whitesmoke": "f5f5f5"}
_NAMED |= dict.fromkeys(("inherit", "currentcolor", "unset"), "")
# Lies over what stands beside it in the page.
_LIFTED = re.compile(r"(?:^|;)\s*position\s*:\s*(?:absolute|fixed)", re.IGNORECASE)
# These do not take the colour around them.
_OWN_INK = frozenset({"a", "button", "input", "select", "svg", "textarea"})


def _colour(value: str) -> str:
    """Bring a colour to six hexadecimal digits; transparent, unknown, or empty for inherited."""
    found = _COLOUR.search(value.lower())
    if not found:
        return ""
    text = found[0]
    if text.startswith("#"):
        digits = text[1:] if len(text) > 5 else "".join(2 * digit for digit in text[1:])
        if len(digits) == 8 and digits.endswith("00"):
            return _TRANSPARENT
        return digits[:6] if from_hex(digits[:6]) else _UNKNOWN
    if text.startswith("rgb"):
        parts = [
            float(number) * (2.55 if percent and place < 3 else 1)
            for place, (number, percent) in enumerate(re.findall(r"(\d*\.?\d+)(%?)", text))
        ]
        if len(parts) > 3 and parts[3] == 0:
            return _TRANSPARENT
        if len(parts) < 3:
            return _UNKNOWN
        return "".join(f"{min(255, int(part)):02x}" for part in parts[:3])
    return _NAMED.get(text, _UNKNOWN)


def _ink(declarations: str) -> str:
    """Return the colour that declarations give text; empty where they give none."""
    found = _INK.search(declarations)
    ink = _colour(found[1]) if found else ""
    # Letters cut out of a ground show it.
    return _UNKNOWN if ink == _TRANSPARENT and "background-clip" in declarations else ink


def _ground(declarations: str) -> str:
    """Return the colour that declarations put under text; empty where they put none."""
    ground = ""
    for value in _GROUND.findall(declarations.lower()):
        if "url(" in value or "gradient(" in value:
            return _UNKNOWN
        colour = _colour(value)
        ground = ground if colour == _TRANSPARENT else colour
    return ground or (_UNKNOWN if _LIFTED.search(declarations) else "")


def _unseen(ink: str, ground: str) -> bool:
    if ink == _TRANSPARENT:
        return True
    over, under = from_hex(ink), from_hex(ground)
    return over is not None and under is not None and not differ(over, under)


def _hides(declarations: str) -> bool:
    if _HIDING.search(declarations):
        return True
    flat = _FLAT.search(declarations) and _CUT.search(declarations)
    return bool(flat) and not _ROOM.search(declarations)


class Visibility:
    """Answers for one page what of it is hidden.

    Knows the hidden attribute, ``aria-hidden``, inline styles, and rules in the page's own
    ``<style>`` whose selector is a single tag, class or id.

    :param root: The page.
    """

    def __init__(self, root: etree._Element) -> None:
        self._hiding: set[str] = set()
        self._inks: dict[str, str] = {}
        self._grounds: dict[str, str] = {}
        for style in root.iter("style"):
            media = (style.get("media") or "screen").lower()
            if "all" in media or "screen" in media:
                self._read_sheet(re.sub(r"/\*.*?\*/", "", style.text or "", flags=re.DOTALL))
        self._painted: dict[etree._Element, tuple[str, str]] = {}
        # A linked style sheet is not read: it may well put a dark ground behind white text.
        linked = any("stylesheet" in (e.get("rel") or "").lower() for e in root.iter("link"))
        self._paper = _UNKNOWN if linked else _WHITE
        inks, grounds = set(self._inks.values()), {self._paper, *self._grounds.values()}
        coloured = cast("list[etree._Element]", root.xpath("//*[@style or @color or @bgcolor]"))
        for element in coloured:
            ink, ground = self._own_colours(element)
            inks.add(ink)
            grounds.add(ground)
        # Most pages need not be looked at element by element.
        pairs = product(inks, grounds)
        self._inked = len(inks) * len(grounds) > 10_000 or any(starmap(_unseen, pairs))
        # What a visible control opens is there for the reader.
        self._opened = {
            name
            for element in root.iter("button", "a", "summary", "label")
            for name in (element.get("aria-controls") or "").split()
            if "".join(str(part) for part in element.itertext()).strip()
        }

    def _read_sheet(self, sheet: str) -> None:
        unsure: list[tuple[dict[str, str], str]] = []
        for selectors, declarations in _RULE.findall(_AT_RULE.sub("", sheet)):
            names = {one.strip().lower() for one in selectors.split(",")}
            simple = {one for one in names if _SIMPLE.match(one)}
            if _hides(declarations):
                self._hiding |= simple
            for colours, colour in self._colours(declarations):
                colours |= dict.fromkeys(simple, colour)
                unsure += [(colours, one) for one in names - simple]
        # Rules inside @media or @supports may not apply: their braces nest.
        for rule in _AT_RULE.findall(sheet):
            for selectors, declarations in _RULE.findall("" if _ELSEWHERE.match(rule) else rule):
                for colours, _ in self._colours(declarations):
                    unsure += [(colours, one.strip().lower()) for one in selectors.split(",")]
        for colours, selector in unsure:
            subject = re.split(r"[\s>+~]", selector)[-1].partition(":")[0]
            for name in re.findall(r"[.#][\w-]+|^[a-z][a-z0-9]*$", subject):
                colours[name] = _UNKNOWN

    def _colours(self, declarations: str) -> list[tuple[dict[str, str], str]]:
        """Return the colours that declarations give, each with where such are kept."""
        both = (self._inks, _ink(declarations)), (self._grounds, _ground(declarations))
        return [(colours, colour) for colours, colour in both if colour]

    def hidden(self, element: etree._Element) -> bool:
        """Tell whether an element, and so all inside it, is kept from the reader."""
        attributes = element.attrib
        if not attributes and not self._hiding:
            return False
        style = attributes.get("style", "")
        return (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or (element.tag == "dialog" and "open" not in attributes)
            or bool(style and _hides(style))
            or not self._hiding.isdisjoint(_keys(element))
        ) and attributes.get("id") not in self._opened

    def hidden_within(self, element: etree._Element, top: etree._Element | None = None) -> bool:
        """Tell whether an element or one around it, below ``top``, is kept from the reader."""
        around: etree._Element | None = element
        while around is not None and around is not top:
            if self.hidden(around):
                return True
            around = around.getparent()
        return False

    def inked_out(self, element: etree._Element) -> bool:
        """Tell whether an element's own text has the colour of its ground.

        What is inside it may have another colour or another ground.
        """
        return self._inked and _unseen(*self._paint(element))

    def text(self, element: etree._Element) -> str:
        """Return the text below an element that a reader sees, as it stands."""
        shown = not self.inked_out(element)
        parts = [element.text or ""] if shown else []
        for one in element:
            if isinstance(one.tag, str) and one.tag not in SKIPPED and not self.hidden(one):
                parts.append(self.text(one))
            if shown:
                parts.append(one.tail or "")
        return "".join(parts)

    def main_heading(self, root: etree._Element) -> str:
        """Return the first main heading that a reader sees; empty where there is none."""
        unread = SKIPPED - {"nav"}
        texts = (
            clean(self.text(one))
            for one in root.iter("h1")
            if not self.hidden_within(one) and next(one.iterancestors(*unread), None) is None
        )
        return next(filter(None, texts), "")

    def _paint(self, element: etree._Element) -> tuple[str, str]:
        """Return the colours of an element's text and of what it stands on."""
        known = self._painted.get(element)
        if known is None:
            parent = element.getparent()
            ink, ground = (_UNKNOWN, self._paper) if parent is None else self._paint(parent)
            over, under = self._own_colours(element)
            known = over or (_UNKNOWN if element.tag in _OWN_INK else ink), under or ground
            self._painted[element] = known
        return known

    def _own_colours(self, element: etree._Element) -> tuple[str, str]:
        """Return the colours that an element is given itself; empty where it is given none."""
        style, keys = element.get("style") or "", _keys(element)
        ink = (
            _ink(style)
            or next((self._inks[key] for key in keys if key in self._inks), "")
            or _colour(element.get("color") or "")
        )
        ground = (
            _ground(style)
            or next((self._grounds[key] for key in keys if key in self._grounds), "")
            or (_UNKNOWN if element.get("background") else "")
            or _colour(element.get("bgcolor") or "")
        )
        return ink, ground


def _keys(element: etree._Element) -> list[str]:
    """Return the selectors of an element that are looked up, the strongest first."""
    tag = str(element.tag)
    keys = [tag]
    for name in (element.get("class") or "").lower().split():
        keys += [f".{name}", f"{tag}.{name}"]
    if identity := (element.get("id") or "").lower():
        keys += [f"#{identity}", f"{tag}#{identity}"]
    return keys[::-1]
