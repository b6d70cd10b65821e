"""What a Word paragraph is: its heading level, its place in a list, the number it shows."""

import re
from dataclasses import dataclass, field

from lxml import etree

from pipelines.convert.ooxml import attribute, child, children

_HEADING = re.compile(r"^heading (\d)$")
_DIGITS = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def _value(element: etree._Element | None, *path: str) -> str | None:
    """Return the ``val`` of a descendant; None where there is none."""
    return attribute(child(element, *path), "val")


def is_on(flag: etree._Element) -> bool:
    """Whether a property that need only be there is not switched off."""
    return attribute(flag, "val") not in ("0", "false", "off")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,9}", text) else None


@dataclass
class Style:
    """A paragraph or table style with what matters of it, its parents' included.

    :param name: English name, whatever the language of the program (``heading 1``).
    :param outline: Outline level from 0; None for body text.
    :param numbering: List and level in it that the style belongs to.
    :param bold: Whether its text is bold; None if it does not say.
    :param shaded: Whether it gives its text a ground.
    :param header_row: Whether it sets a table's first row apart.
    :param vanish: Whether its text is hidden; None if it does not say.
    :param colour: Its text's colour in six hexadecimal digits or ``auto``; None if it does not say.
    """

    name: str = ""
    outline: int | None = None
    numbering: tuple[str | None, int | None] = (None, None)
    bold: bool | None = None
    shaded: bool = False
    header_row: bool = False
    vanish: bool | None = None
    colour: str | None = None


class Styles:
    """The styles of a document by their id.

    :param root: The styles part; None when the document has none.
    """

    def __init__(self, root: etree._Element | None) -> None:
        self._elements: dict[str, etree._Element] = {}
        self._known: dict[str, Style] = {}
        self.default = Style()
        for element in children(root, "style"):
            identity = attribute(element, "styleId") or ""
            self._elements[identity] = element
            if attribute(element, "default") in ("1", "true") and (
                attribute(element, "type") == "paragraph"
            ):
                self.default = self.get(identity)

    def get(self, identity: str | None) -> Style:
        """Return a style by its id; body text if there is no such style."""
        if identity is None:
            return self.default
        if identity not in self._known:
            self._known[identity] = self._resolve(identity)
        return self._known[identity]

    def _resolve(self, identity: str) -> Style:
        chain = []
        seen: set[str] = set()
        current: str | None = identity
        while current in self._elements and current not in seen:
            seen.add(current)
            chain.append(self._elements[current])
            current = _value(chain[-1], "basedOn")
        style = Style()
        for element in reversed(chain):
            style.name = (_value(element, "name") or "").lower()
            paragraph = child(element, "pPr")
            outline = _number(_value(paragraph, "outlineLvl"))
            if outline is not None:
                style.outline = outline if outline < 9 else None
            found = _HEADING.match(style.name)
            if found and int(found[1]) > 0:
                style.outline = int(found[1]) - 1
            elif style.name == "title":
                style.outline = 0
            numbering = child(paragraph, "numPr")
            if numbering is not None:
                style.numbering = (
                    _value(numbering, "numId") or style.numbering[0],
                    _number(_value(numbering, "ilvl")),
                )
            run = child(element, "rPr")
            bold, vanish = child(run, "b"), child(run, "vanish")
            style.bold = style.bold if bold is None else is_on(bold)
            style.vanish = style.vanish if vanish is None else is_on(vanish)
            style.colour = _value(run, "color") or style.colour
            style.shaded |= child(paragraph, "shd") is not None or child(run, "shd") is not None
            style.header_row |= any(
                attribute(part, "type") == "firstRow" for part in children(element, "tblStylePr")
            )
        return style


@dataclass
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""


@dataclass
class _List:
    """One definition of a list: its levels and how far each has counted."""

    levels: dict[int, _Level] = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)


class Numbering:
    """The lists of a document; counts as Word does, so that markers are those a reader sees.

    :param root: The numbering part; None when the document has none.
    """

    def __init__(self, root: etree._Element | None) -> None:
        definitions: dict[str | None, _List] = {}
        for element in children(root, "abstractNum"):
            levels = {
                _number(attribute(level, "ilvl")) or 0: _level(level)
                for level in children(element, "lvl")
            }
            definitions[attribute(element, "abstractNumId")] = _List(levels)
        self._lists: dict[str, _List] = {}
        self._restarts: dict[str, dict[int, int]] = {}
        for element in children(root, "num"):
            identity = attribute(element, "numId") or ""
            shared = definitions.get(_value(element, "abstractNumId"))
            if shared is None:
                continue
            self._lists[identity] = shared
            for override in children(element, "lvlOverride"):
                index = _number(attribute(override, "ilvl")) or 0
                start = _number(_value(override, "startOverride"))
                if start is not None:
                    self._restarts.setdefault(identity, {})[index] = start
                replaced = child(override, "lvl")
                if replaced is not None:
                    own = _List({**shared.levels, index: _level(replaced)})
                    self._lists[identity] = shared = own

    def marker(self, identity: str, index: int) -> str | None:
        """Count one item and return its marker.

        :param identity: The list.
        :param index: Level in it, from 0.
        :returns: The number as shown (``2.1``, ``b)``); empty for a bullet; None when
            there is no such list.
        """
        known = self._lists.get(identity)
        if known is None:
            return None
        restart = self._restarts.get(identity, {}).pop(index, None)
        level = known.levels.get(index, _Level())
        if restart is not None:
            known.counters[index] = restart
        else:
            known.counters[index] = known.counters.get(index, level.start - 1) + 1
        for deeper in [one for one in known.counters if one > index]:
            del known.counters[deeper]
        if level.form in ("bullet", "none"):
            return ""

        def shown(found: re.Match[str]) -> str:
            other = int(found[1]) - 1
            form = known.levels.get(other, _Level())
            return _count(known.counters.get(other, form.start), form.form)

        return re.sub(r"%(\d)", shown, level.text).strip()


def _level(element: etree._Element) -> _Level:
    start = _number(_value(element, "start"))
    return _Level(
        1 if start is None else start,
        _value(element, "numFmt") or "decimal",
        _value(element, "lvlText") or "",
    )


def _count(number: int, form: str) -> str:
    """Write a number in one of Word's forms; decimal where the form is of another script."""
    if form in ("lowerLetter", "upperLetter") and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 20)
        return letter.upper() if form == "upperLetter" else letter
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = ""
        for value, digit in _DIGITS:
            roman += digit * (number // value)
            number %= value
        return roman.upper() if form == "upperRoman" else roman
    return f"{number:02d}" if form == "decimalZero" else str(number)
