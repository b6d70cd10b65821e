"""Which parts of a web page a reader does not see.

Text hidden from people but not from machines is how instructions are slipped into an
index; it is left out. What a click shows (details, accordions, tabs) is visible.
"""

import re

from lxml import etree

_RULE = re.compile(r"([^{}@;]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"^(?:[a-z][a-z0-9]*)?[.#][\w-]+$|^[a-z][a-z0-9]*$", re.IGNORECASE)
_ZERO = r"0*(?:\.0+)?(?:px|pt|em|rem|%)?"
_HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    rf"|opacity\s*:\s*{_ZERO}\s*(?:!|;|$)"
    rf"|font-size\s*:\s*(?:{_ZERO}|[01](?:\.\d+)?p[xt])\s*(?:!|;|$)"
    r"|text-indent\s*:\s*-\d{3,}|(?:left|top|right)\s*:\s*-\d{4,}"
    r"|clip\s*:\s*rect\(\s*0(?:px)?[ ,]+0(?:px)?[ ,]+0|clip-path\s*:\s*inset\(\s*(?:50|100)%)",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"(?:^|;)\s*color\s*:\s*([^;!]+)", re.IGNORECASE)
_BACKGROUND = re.compile(r"(?:^|;)\s*background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
_NAMED = {"white": "#ffffff", "black": "#000000", "transparent": "transparent"}
_WHITE = "#ffffff"


def _colour(value: str) -> str:
    """Bring white, black and hexadecimal or rgb() colours to one spelling."""
    value = value.strip().lower().replace(" ", "")
    if re.fullmatch(r"#[0-9a-f]{3}", value):
        return "#" + "".join(2 * digit for digit in value[1:])
    if found := re.fullmatch(r"rgba?\((\d+),(\d+),(\d+)(?:,([\d.]+%?))?\)", value):
        if found[4] and float(found[4].rstrip("%")) == 0:
            return "transparent"
        return "#" + "".join(f"{min(255, int(part)):02x}" for part in found.groups()[:3])
    return _NAMED.get(value, value)


class Visibility:
    """Answers for one page whether an element is hidden.

    Knows the hidden attribute, ``aria-hidden``, inline styles, and rules in the page's own
    ``<style>`` whose selector is a single tag, class or id.

    :param root: The page.
    """

    def __init__(self, root: etree._Element) -> None:
        self._hiding: set[str] = set()
        self._coloured: set[str] = set()
        for style in root.iter("style"):
            media = (style.get("media") or "screen").lower()
            if "all" not in media and "screen" not in media:
                continue
            # Rules inside @media or @supports may not apply: their braces nest.
            sheet = re.sub(r"/\*.*?\*/", "", style.text or "", flags=re.DOTALL)
            sheet = re.sub(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet)
            for selectors, declarations in _RULE.findall(sheet):
                names = {one.strip().lower() for one in selectors.split(",")}
                names = {one for one in names if _SIMPLE.match(one)}
                if _HIDING.search(declarations):
                    self._hiding |= names
                if "background" in declarations:
                    self._coloured |= names
        # A linked style sheet is not read: it may well put a dark ground behind white text.
        self._linked = any("stylesheet" in (e.get("rel") or "").lower() for e in root.iter("link"))
        # What a visible control opens is there for the reader.
        self._opened = {
            name
            for element in root.iter("button", "a", "summary", "label")
            for name in (element.get("aria-controls") or "").split()
            if "".join(str(part) for part in element.itertext()).strip()
        }

    def _matches(self, element: etree._Element, names: set[str]) -> bool:
        if not names:
            return False
        tag = str(element.tag)
        keys = [tag]
        for name in (element.get("class") or "").lower().split():
            keys += [f".{name}", f"{tag}.{name}"]
        if identity := (element.get("id") or "").lower():
            keys += [f"#{identity}", f"{tag}#{identity}"]
        return any(key in names for key in keys)

    def hidden(self, element: etree._Element) -> bool:
        """Tell whether an element, and so all inside it, is kept from the reader."""
        attributes = element.attrib
        if not attributes and not self._hiding:
            return False
        style = attributes.get("style", "")
        if (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or (style and _HIDING.search(style))
            or self._matches(element, self._hiding)
        ):
            return attributes.get("id") not in self._opened
        if element.tag == "dialog" and "open" not in attributes:
            return attributes.get("id") not in self._opened
        return self._invisible_ink(element, style)

    def _invisible_ink(self, element: etree._Element, style: str) -> bool:
        """Text in the colour of its ground, where both are known."""
        found = _COLOUR.search(style)
        ink = _colour(found[1]) if found else _colour(element.get("color") or "")
        if not ink:
            return False
        if ink == "transparent":
            return True
        above: etree._Element | None = element
        while above is not None:
            ground = _BACKGROUND.search(above.get("style") or "")
            colour = _colour(ground[1].split()[0]) if ground else above.get("bgcolor")
            if colour and _colour(colour) != "transparent":
                return _colour(colour) == ink
            if above.get("background") or self._matches(above, self._coloured):
                return False
            above = above.getparent()
        return ink == _WHITE and not self._linked
