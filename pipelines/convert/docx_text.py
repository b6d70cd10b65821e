"""The text of one Word paragraph, run by run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lxml import etree

from pipelines.convert.colours import differ, from_hex
from pipelines.convert.docx_styles import Style, Styles, is_on
from pipelines.convert.ooxml import attribute, child, local
from pipelines.convert.symbol_font import UNKNOWN, sign

# What stands below these is not shown: deleted, moved away, field codes, phonetic guides,
# and drawings for programs that cannot show the first choice.
_UNSEEN = frozenset(
    "del moveFrom instrText delText delInstrText rt Fallback rPr pPr sdtPr "  # noqa: SIM905
    "sectPr fldData".split()
)
_WHITE = (255, 255, 255)
_SUPERSCRIPT = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")


@dataclass
class Paragraph:
    """A paragraph's text and what hangs on it.

    :param text: Its whole visible text.
    :param style: Id of its style.
    :param bold: Whether all its text is bold; None where the runs do not say.
    :param boxes: Contents of the text boxes anchored in it.
    :param notes: (kind, id) of the notes and comments it refers to.
    :param marks: What stands in the text for a note.
    :param unknown: How many of its signs have no known letter.
    """

    text: str = ""
    style: str | None = None
    bold: bool | None = None
    boxes: list[etree._Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    marks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What a paragraph's runs look like where they do not say."""

    shaded: bool
    style: Style
    styles: Styles


def read_paragraph(
    element: etree._Element,
    *,
    shaded: bool = False,
    marks: Mapping[tuple[str, str], str] = MappingProxyType({}),
    styles: Styles | None = None,
) -> Paragraph:
    """Collect what a reader sees of a paragraph.

    White text on no ground of its own and text below 2 points are taken for hidden, by
    the runs' own properties or by those of their styles.

    :param element: A ``w:p``.
    :param shaded: Whether it stands on a ground of its own, where white text is seen.
    :param marks: Numbers of the notes by their kind and id.
    :param styles: The document's styles; none by default.
    """
    paragraph = Paragraph(style=attribute(child(element, "pPr", "pStyle"), "val"), marks=marks)
    parts: list[str] = []
    weights: list[bool | None] = []
    shaded = shaded or child(element, "pPr", "shd") is not None
    styles = styles or Styles(None)
    look = _Look(shaded, styles.get(paragraph.style), styles)
    for node in element:
        _read(node, paragraph, parts, weights, look)
    paragraph.text = "".join(parts)
    if weights and all(weight is not None for weight in weights):
        paragraph.bold = all(weights)
    elif any(weight is not None for weight in weights):
        paragraph.bold = False
    return paragraph


def _read(
    node: etree._Element,
    paragraph: Paragraph,
    parts: list[str],
    weights: list[bool | None],
    look: _Look,
) -> None:
    name = local(node)
    if name in _UNSEEN:
        return
    if name == "r":
        _read_run(node, paragraph, parts, weights, look)
    elif name == "t":
        # Office Math has its text in elements of the same name.
        parts.append(node.text or "")
    elif name in ("footnoteReference", "endnoteReference"):
        identity = attribute(node, "id") or ""
        note = (name.removesuffix("Reference"), identity)
        paragraph.notes.append(note)
        parts.append(f"[{paragraph.marks.get(note, identity)}]")
    elif name == "commentReference":
        paragraph.notes.append(("comment", attribute(node, "id") or ""))
    elif name in ("tab", "br", "cr", "ptab"):
        parts.append("\n" if name in ("br", "cr") else "\t")
    elif name == "noBreakHyphen":
        parts.append("-")
    elif name == "sym":
        shown = sign(attribute(node, "font") or "", attribute(node, "char") or "")
        paragraph.unknown += shown == UNKNOWN
        parts.append(shown)
    elif name == "txbxContent":
        paragraph.boxes.append(node)
    elif name == "docPr":
        shown = attribute(node, "descr") or ""
        if shown:
            parts.append(f" {shown} ")
    elif name in ("shape", "rect") and attribute(node, "alt"):
        parts.append(f" {attribute(node, 'alt')} ")
        for one in node:
            _read(one, paragraph, parts, weights, look)
    elif name == "checkBox":
        flag = child(node, "checked")
        state = flag if flag is not None else child(node, "default")
        checked = state is not None and attribute(state, "val") not in ("0", "false")
        parts.append("☒ " if checked else "☐ ")
    else:
        for one in node:
            _read(one, paragraph, parts, weights, look)


def _read_run(
    run: etree._Element,
    paragraph: Paragraph,
    parts: list[str],
    weights: list[bool | None],
    look: _Look,
) -> None:
    properties = child(run, "rPr")
    if _hidden(properties, look):
        return
    own: list[str] = []
    for node in run:
        _read(node, paragraph, own, weights, look)
    text = "".join(own)
    if text.strip():
        bold = child(properties, "b")
        weights.append(None if bold is None else is_on(bold))
        position = attribute(child(properties, "vertAlign"), "val")
        if position == "superscript" and text.strip("0123456789+-−") == "":
            text = text.translate(_SUPERSCRIPT)
    parts.append(text)


def _hidden(properties: etree._Element | None, look: _Look) -> bool:
    named = attribute(child(properties, "rStyle"), "val")
    styles = [look.style] if named is None else [look.styles.get(named), look.style]
    vanish = child(properties, "vanish")
    told = [None if vanish is None else is_on(vanish), *(style.vanish for style in styles)]
    if next((one for one in told if one is not None), False):
        return True
    size = attribute(child(properties, "sz"), "val")
    if size is not None and size.isdigit() and int(size) < 4:
        return True
    ground = child(properties, "shd") is not None or child(properties, "highlight") is not None
    if ground or look.shaded or any(style.shaded for style in styles):
        return False
    colours = [attribute(child(properties, "color"), "val"), *(style.colour for style in styles)]
    ink = from_hex(next(filter(None, colours), None))
    return ink is not None and not differ(ink, _WHITE)
