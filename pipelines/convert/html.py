"""HTML: headings, paragraphs, lists, tables and alternative texts, as a reader sees them."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml import html as lxml_html

from pipelines.convert.encoding import decode
from pipelines.convert.extracted import BlockKind, Extracted, ExtractedBuilder, clean
from pipelines.convert.html_hidden import SKIPPED, Visibility
from pipelines.convert.html_tables import HtmlTable
from pipelines.convert.tables import add_table
from pipelines.errors import ConversionError

_DECLARED = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_DECLARED = re.compile(rb"""^\s*<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""")
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label "  # noqa: SIM905
    "mark meter nobr "
    "output progress q rp rt ruby s samp small span strike strong sub sup time tt u var wbr "
    "img picture svg input button select textarea br".split()
)
_IMAGE_FILE = re.compile(r"^[\w.~-]+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?)$", re.IGNORECASE)
_SUPERSCRIPT = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
# Pictures and fonts inside the page: nothing to read, and they may be of any size.
_DATA = re.compile(r"(data:[\w.+-]+/[\w.+-]+[\w;=.+-]*;base64,)[A-Za-z0-9+/=%_-]{1000,}")
# Bytes from which on the parser stops reading, unless told that the page is huge.
_HUGE = 10_000_000
_PERMALINK = frozenset("#¶§🔗")
# Names a page gives its facts → names used for properties in every format.
_META = {
    "description": "description",
    "og:description": "description",
    "author": "author",
    "article:author": "author",
    "dc.creator": "author",
    "dcterms.creator": "author",
    "keywords": "keywords",
    "date": "date",
    "dc.date": "date",
    "dcterms.date": "date",
    "dcterms.modified": "modified",
    "article:published_time": "date",
    "article:modified_time": "modified",
}


def convert(path: Path) -> Extracted:
    """Turn an HTML file into text with its structure.

    Scripts, styles, navigation and text that a reader does not see are left out.

    :raises ConversionError: When it is not text, or nested beyond what a parser takes.
    """
    data = path.read_bytes()
    declared = _DECLARED.search(data[:4096]) or _XML_DECLARED.match(data[:256])
    text, notice = decode(data, declared[1].decode("ascii") if declared else None)
    builder = ExtractedBuilder()
    if notice:
        builder.notice(notice)
    if not text.strip():
        raise ConversionError("the file is empty")
    add_page(builder, parse(text, builder))
    return builder.build()


def parse(text: str, builder: ExtractedBuilder | None = None) -> etree._Element:
    """Parse HTML the way a browser does, without loading anything it names.

    :param text: The whole page or a part of one.
    :param builder: Receives a notice when the parser had to leave something out.
    :raises ConversionError: When there is nothing to parse.
    """
    # As bytes: a str with an XML declaration is refused.
    data = _DATA.sub(r"\1", text).encode("utf-8", "replace")
    parser = lxml_html.HTMLParser(
        encoding="utf-8",
        no_network=True,
        huge_tree=len(data) >= _HUGE,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root: etree._Element = lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise ConversionError("holds no HTML") from None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        if not all_text(root).strip():
            raise ConversionError("nested too deeply")
        if builder is not None:
            builder.notice("nested too deeply: what stands below 256 levels was left out")
    return root


def add_page(builder: ExtractedBuilder, root: etree._Element) -> None:
    """Append a whole page: its title, its facts, its text."""
    body = root.find("body")
    main = root if body is None else body
    title = clean(root.findtext("head/title") or root.findtext(".//title") or "")
    seen = Visibility(root)
    first = seen.main_heading(main)
    builder.title = builder.title or title or first or None
    if title and title != first:
        builder.add("property", f"title: {title}")
    for meta in root.iter("meta"):
        name = _META.get((meta.get("name") or meta.get("property") or "").lower())
        if name and name not in builder.properties:
            builder.add_property(name, meta.get("content") or "")
    add_body(builder, main, seen)


def add_body(
    builder: ExtractedBuilder, body: etree._Element, visibility: Visibility | None = None
) -> None:
    """Append what stands in an element, block by block."""
    visibility = visibility or Visibility(body)
    before = builder.is_empty
    _Walker(builder, visibility, SKIPPED).run(body)
    if before and builder.is_empty:
        # A page that is nothing but links (a table of contents) has its text in <nav>.
        _Walker(builder, visibility, SKIPPED - {"nav"}).run(body)


class _Walker:
    """Walks a page once, collecting inline text until a block ends."""

    def __init__(
        self, builder: ExtractedBuilder, visibility: Visibility, skipped: frozenset[str]
    ) -> None:
        self._builder = builder
        self._visibility = visibility
        self._skipped = skipped
        self._inline: list[str] = []
        self._kind: BlockKind = "paragraph"
        self._level = 0
        self._prefix = ""
        self._depth = -1
        self._flat = 0
        self._run_in = -1

    def run(self, body: etree._Element) -> None:
        """Append everything below an element."""
        self._children(body)
        self._flush()
        self._flush_prefix()

    def _children(self, element: etree._Element) -> None:
        shown = not self._visibility.inked_out(element)
        if element.text and shown:
            self._inline.append(element.text)
        for one in element:
            if isinstance(one.tag, str):
                self._element(one)
            if one.tail and shown:
                self._inline.append(one.tail)

    def _flush(self) -> None:
        """End a block: append the inline text collected so far."""
        if self._flat:
            self._inline.append(" ")
            return
        if not self._inline:
            return
        text = "".join(self._inline)
        self._inline.clear()
        if clean(text):
            prefix, self._prefix = self._prefix, ""
            self._builder.add(self._kind, prefix + text, level=self._level)

    def _flush_prefix(self) -> None:
        """Append a marker or term that no text followed."""
        if self._prefix.strip(" .:)") and not self._flat:
            self._builder.add(self._kind, self._prefix.rstrip(" :"), level=self._level)
        self._prefix = ""

    def _text_of(self, element: etree._Element) -> str:
        """All text below an element as one line."""
        inline, self._inline = self._inline, []
        self._flat += 1
        self._children(element)
        self._flat -= 1
        text, self._inline = clean("".join(self._inline)), inline
        return text

    def _element(self, element: etree._Element) -> None:
        tag = element.tag
        if tag in self._skipped or self._visibility.hidden(element):
            return
        if tag in _INLINE:
            self._inline_element(element, tag)
            return
        if "nav" in self._skipped and element.get("role") in ("navigation", "search"):
            return
        self._flush()
        if self._footnotes(element):
            return
        handler = getattr(self, f"_on_{tag}", None)
        if handler is not None:
            handler(element)
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self._block(element, "heading", int(tag[1]))
        elif element.get("role") == "heading":
            level = element.get("aria-level", "2")
            self._block(element, "heading", int(level) if level.isdigit() else 2)
        else:
            self._children(element)
        self._flush()

    def _block(self, element: etree._Element, kind: BlockKind, level: int) -> None:
        """Append all below an element as blocks of one kind."""
        saved = self._kind, self._level
        self._kind, self._level = kind, level
        self._children(element)
        self._flush()
        self._kind, self._level = saved

    def _inline_element(self, element: etree._Element, tag: str) -> None:
        inline = self._inline
        if tag == "br":
            inline.append("\n")
            if self._run_in == len(inline) - 1:
                # A line in bold of its own is a title, not the sentence's beginning.
                self._flush()
        elif tag in ("b", "strong"):
            first = not "".join(inline).strip()
            self._children(element)
            self._run_in = len(inline) if first else -1
        elif tag == "wbr":
            pass
        elif tag == "img":
            shown = clean(element.get("alt") or element.get("title") or "")
            if shown and not _IMAGE_FILE.match(shown):
                inline.append(f" {shown} ")
        elif tag in ("sup", "sub"):
            text = self._text_of(element)
            if tag == "sup" and re.fullmatch(r"[0-9+−-]+", text) and not element.get("class"):
                text = text.translate(_SUPERSCRIPT)
            inline.append(text)
        elif tag == "svg":
            for one in element.iter("{*}title", "{*}text", "title", "text"):
                if not self._visibility.hidden_within(one, element):
                    inline.append(f" {self._visibility.text(one)} ")
        elif tag == "input":
            if not self._visibility.inked_out(element):
                self._input(element)
        elif tag == "select":
            seen = (o for o in element.iter("option") if not self._visibility.hidden(o))
            options = [self._text_of(option) for option in seen]
            inline.append(f" {'; '.join(filter(None, options))} ")
        elif tag == "a" and "footnote-backref" in (element.get("class") or ""):
            pass
        elif tag == "a" and all_text(element).strip() in _PERMALINK:
            self._images_only(element)
        elif tag in ("button", "label"):
            inline.append(" ")
            self._children(element)
            inline.append(" ")
        else:
            self._children(element)

    def _images_only(self, element: etree._Element) -> None:
        for image in element.iter("img"):
            self._element(image)

    def _input(self, element: etree._Element) -> None:
        kind = (element.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            self._inline.append("[x] " if "checked" in element.attrib else "[ ] ")
        elif kind not in ("hidden", "password", "file"):
            shown = element.get("value") or element.get("placeholder") or element.get("alt") or ""
            self._inline.append(f" {shown} ")

    def _on_ul(self, element: etree._Element) -> None:
        self._list(element, None)

    _on_menu = _on_ul

    def _on_ol(self, element: etree._Element) -> None:
        start = element.get("start") or ""
        first = int(start) if re.fullmatch(r"-?\d{1,9}", start) else 1
        if "reversed" in element.attrib and not start:
            first = sum(1 for one in element if one.tag == "li")
        self._list(element, first)

    def _list(self, element: etree._Element, number: int | None) -> None:
        self._flush_prefix()
        saved = self._kind, self._level
        self._depth += 1
        self._kind, self._level = "list_item", self._depth
        step = -1 if "reversed" in element.attrib else 1
        style = element.get("type") or ""
        shown = not self._visibility.inked_out(element)
        if element.text and shown:
            self._inline.append(element.text)
        for one in element:
            if one.tag == "li" and not self._visibility.hidden(one):
                self._flush()
                value = one.get("value") or ""
                if number is not None and re.fullmatch(r"-?\d{1,9}", value):
                    number = int(value)
                if number is not None and not self._flat:
                    self._prefix = f"{_numeral(number, style)}. "
                    number += step
                self._children(one)
                if self._flat:
                    self._inline.append("; ")
                self._flush()
                self._flush_prefix()
            elif isinstance(one.tag, str) and one.tag != "li":
                self._element(one)
            if one.tail and shown:
                self._inline.append(one.tail)
        self._flush()
        self._depth -= 1
        self._kind, self._level = saved

    def _footnotes(self, element: etree._Element) -> bool:
        """Append a list of footnotes, each with the mark that the text refers to it by."""
        classes = (element.get("class") or "").lower().split()
        if "footnotes" not in classes and element.get("role") != "doc-endnotes":
            return False
        notes = list(self._notes(element))
        for number, note in enumerate(notes, start=1):
            self._prefix = f"[{number}] "
            self._block(note, "footnote", 0)
            self._prefix = ""
        return bool(notes)

    def _notes(self, element: etree._Element) -> Iterator[etree._Element]:
        """Yield the outermost items of lists below an element."""
        for one in element:
            if not isinstance(one.tag, str) or self._visibility.hidden(one):
                continue
            if one.tag == "li":
                yield one
            else:
                yield from self._notes(one)

    def _on_dl(self, element: etree._Element) -> None:
        self._block(element, "list_item", self._depth + 1)
        self._flush_prefix()

    def _on_dt(self, element: etree._Element) -> None:
        text = self._text_of(element)
        if self._flat:
            self._inline.append(text)
        elif text:
            # Several terms may share one definition.
            self._prefix = (f"{self._prefix[:-2]}, " if self._prefix else "") + f"{text}: "

    def _on_dd(self, element: etree._Element) -> None:
        self._depth += 1
        self._block(element, "list_item", self._depth)
        self._depth -= 1
        self._flush_prefix()

    def _on_pre(self, element: etree._Element) -> None:
        if self._flat:
            self._children(element)
            return
        for line_break in element.iter("br"):
            line_break.tail = "\n" + (line_break.tail or "")
        self._flush_prefix()
        self._builder.add("code", self._visibility.text(element))

    def _on_figcaption(self, element: etree._Element) -> None:
        self._block(element, "caption", 0)

    _on_caption = _on_figcaption

    def _on_table(self, element: etree._Element) -> None:
        table = None if self._flat else HtmlTable.read(element, self._visibility, self._text_of)
        if table is None:
            self._children(element)
            return
        for caption in element.findall("caption"):
            self._element(caption)
        self._flush_prefix()
        add_table(self._builder, table.rows, headers=table.headers)


def all_text(element: etree._Element) -> str:
    """Return all text below an element, seen or not, as it stands."""
    return "".join(str(part) for part in element.itertext())


def _numeral(number: int, style: str) -> str:
    if style in ("a", "A") and 0 < number <= 26:
        return chr(ord(style) + number - 1)
    if style in ("i", "I") and 0 < number < 40:
        roman = (
            "x" * (number // 10)
            + ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"][number % 10]
        )
        return roman if style == "i" else roman.upper()
    return str(number)
