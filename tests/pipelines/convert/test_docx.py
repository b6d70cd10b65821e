import io
import zipfile
from pathlib import Path

import pytest
from docx import Document
from docx.document import Document as DocumentType
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt, RGBColor
from PIL import Image

from pipelines.convert.docx import convert
from pipelines.convert.extracted import Extracted
from pipelines.errors import ConversionError


@pytest.fixture
def document() -> DocumentType:
    return Document()


def read(tmp_path: Path, document: DocumentType) -> Extracted:
    path = tmp_path / "a.docx"
    document.save(str(path))
    return convert(path)


def blocks(extracted: Extracted) -> list[tuple[str, int, str]]:
    return [
        (b.kind, b.level, extracted.text[b.start : b.end])
        for b in extracted.blocks
        if b.kind != "property"
    ]


def add_xml(document: DocumentType, inner: str) -> None:
    """Put a paragraph written as XML at the end of a document."""
    xml = f"<w:p {nsdecls('w', 'wp', 'a', 'r')} xmlns:wps='wps' xmlns:mc='mc'>{inner}</w:p>"
    document.element.body.insert(-1, parse_xml(xml))


def test_headings_lists_and_paragraphs(tmp_path: Path, document: DocumentType) -> None:
    document.add_heading("Handbook", 0)
    document.add_heading("Travel", 1)
    document.add_paragraph("Book early.")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("second", style="List Number")
    document.add_paragraph("point", style="List Bullet")
    document.add_paragraph("deeper", style="List Bullet 2")
    document.add_paragraph("Table 1", style="Caption")
    got = read(tmp_path, document)
    assert blocks(got) == [
        ("heading", 1, "Handbook"),
        ("heading", 1, "Travel"),
        ("paragraph", 0, "Book early."),
        ("list_item", 0, "1. first"),
        ("list_item", 0, "2. second"),
        ("list_item", 0, "point"),
        ("list_item", 1, "deeper"),
        ("caption", 0, "Table 1"),
    ]
    assert got.title == "Handbook"


def test_localized_and_derived_heading_styles(tmp_path: Path, document: DocumentType) -> None:
    heading = document.styles["Heading 2"]
    heading.element.set(qn("w:styleId"), "berschrift2")
    own = document.styles.add_style("Kapitel", WD_STYLE_TYPE.PARAGRAPH)
    own.base_style = heading
    document.add_paragraph("Reisen", style=heading)
    document.add_paragraph("Kosten", style=own)
    add_xml(document, "<w:pPr><w:outlineLvl w:val='3'/></w:pPr><w:r><w:t>Direct</w:t></w:r>")
    assert blocks(read(tmp_path, document)) == [
        ("heading", 2, "Reisen"),
        ("heading", 2, "Kosten"),
        ("heading", 4, "Direct"),
    ]


def test_a_bold_line_stands_for_a_heading(tmp_path: Path, document: DocumentType) -> None:
    document.add_heading("Rules", 1)
    document.add_paragraph().add_run("Lost badge").bold = True
    document.add_paragraph("Tell security.")
    document.add_paragraph().add_run("Note: a sentence in bold is none.").bold = True
    assert blocks(read(tmp_path, document)) == [
        ("heading", 1, "Rules"),
        ("heading", 2, "Lost badge"),
        ("paragraph", 0, "Tell security."),
        ("paragraph", 0, "Note: a sentence in bold is none."),
    ]


def test_tables_with_merged_cells_and_header(tmp_path: Path, document: DocumentType) -> None:
    table = document.add_table(4, 3)
    for row, texts in enumerate(
        [("Part", "Width", "Height"), ("Bolt", "1", "2"), ("", "3", "4"), ("All", "both", "")]
    ):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 1).merge(table.cell(3, 2))
    flag = OxmlElement("w:tblHeader")
    table.rows[0]._tr.get_or_add_trPr().append(flag)
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Part: Bolt | Width: 1 | Height: 2",
        "Part: Bolt | Width: 3 | Height: 4",
        "Part: All | Width: both",
    ]


def test_a_table_without_header_gives_bare_values(tmp_path: Path, document: DocumentType) -> None:
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Name", "Ann", "Office", "Berlin"], strict=True):
        cell.text = text
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Name | Ann",
        "Office | Berlin",
    ]


def test_tracked_changes_hidden_text_and_fields(tmp_path: Path, document: DocumentType) -> None:
    add_xml(
        document,
        "<w:r><w:t>Kept </w:t></w:r><w:ins w:id='1'><w:r><w:t>inserted </w:t></w:r></w:ins>"
        "<w:del w:id='2'><w:r><w:delText>DELETED</w:delText></w:r></w:del>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>HIDDEN</w:t></w:r>"
        "<w:r><w:rPr><w:color w:val='FFFFFF'/></w:rPr><w:t>WHITE</w:t></w:r>"
        "<w:r><w:rPr><w:sz w:val='2'/></w:rPr><w:t>TINY</w:t></w:r>"
        "<w:r><w:fldChar w:fldCharType='begin'/></w:r>"
        "<w:r><w:instrText>REF CODE</w:instrText></w:r>"
        "<w:r><w:fldChar w:fldCharType='separate'/></w:r><w:r><w:t>shown</w:t></w:r>"
        "<w:r><w:noBreakHyphen/><w:t>x</w:t></w:r>",
    )
    add_xml(
        document,
        "<w:pPr><w:shd w:val='clear' w:fill='003366'/></w:pPr>"
        "<w:r><w:rPr><w:color w:val='FFFFFF'/></w:rPr><w:t>White on blue</w:t></w:r>",
    )
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Kept inserted shown-x",
        "White on blue",
    ]


def test_styles_hide_what_they_make_hidden_or_white(tmp_path: Path, document: DocumentType) -> None:
    styles = document.styles
    hidden = styles.add_style("Secret", WD_STYLE_TYPE.CHARACTER)
    hidden.font.hidden = True
    styles.add_style("Derived", WD_STYLE_TYPE.CHARACTER).base_style = hidden
    styles.add_style("White", WD_STYLE_TYPE.PARAGRAPH).font.color.rgb = RGBColor(254, 254, 254)
    styles.add_style("Dark", WD_STYLE_TYPE.CHARACTER).font.color.rgb = RGBColor(0, 0, 0)
    vanish = "<w:r><w:rPr><w:rStyle w:val='Derived'/>{}</w:rPr><w:t>{}</w:t></w:r>"
    add_xml(document, vanish.format("", "SECRET") + vanish.format("<w:vanish w:val='0'/>", "Seen"))
    document.add_paragraph("SECRET", style="White").add_run("Black.", style="Dark")
    document.add_paragraph("SECRET", style="White").runs[0].font.size = Pt(12)
    table = document.add_table(1, 2, style="Light Grid Accent 1")
    for cell, text in zip(table._cells, ["White on", "blue"], strict=True):
        cell.paragraphs[0].style = "White"
        cell.paragraphs[0].add_run(text)
    got = [text for _, _, text in blocks(read(tmp_path, document))]
    assert got == ["Seen", "Black.", "White on | blue"]


def test_a_row_may_begin_in_a_later_column(tmp_path: Path, document: DocumentType) -> None:
    table = document.add_table(3, 3)
    rows = [("Part", "Width", "Height"), ("Bolt", "1", "2"), ("", "3", "4")]
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    last = table.rows[2]._tr
    last.remove(last.tc_lst[0])
    last.get_or_add_trPr().append(OxmlElement("w:gridBefore", {qn("w:val"): "1"}))
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Part: Bolt | Width: 1 | Height: 2",
        "Width: 3 | Height: 4",
    ]


def test_signs_of_symbol_fonts(tmp_path: Path, document: DocumentType) -> None:
    def run(*signs: tuple[str, str]) -> str:
        shown = [f"<w:sym w:font='{font}' w:char='{code}'/>" for font, code in signs]
        return f"<w:r>{'<w:t>, </w:t>'.join(shown)}</w:r>"

    codes = ("B3", "B1", "A3", "B0", "B4", "B8", "6D", "72")
    add_xml(document, run(*(("Symbol", f"F0{code}") for code in codes)))
    add_xml(document, run(("Wingdings", "F0FE"), ("Wingdings", "F0A8"), ("Wingdings", "F0E0")))
    add_xml(document, run(("MS Gothic", "2612"), ("Arial", "2265"), ("Webdings", "F04A")))
    got = read(tmp_path, document)
    assert [text for _, _, text in blocks(got)] == [
        "≥, ±, ≤, °, ×, ÷, μ, ρ",
        "☒, ☐, →",
        "☒, ≥, �",
    ]
    assert got.notices == ("1 characters have no known letter and are shown as �",)


def test_pictures_text_boxes_and_links(tmp_path: Path, document: DocumentType) -> None:
    image = io.BytesIO()
    Image.new("RGB", (1, 1)).save(image, "PNG")
    image.seek(0)
    document.add_picture(image)
    for properties in document.element.body.iter(qn("wp:docPr")):
        properties.set("descr", "Cut through a pump")
    add_xml(
        document,
        "<w:r><w:t>See </w:t></w:r><w:hyperlink><w:r><w:t>the manual</w:t></w:r></w:hyperlink>"
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx><w:txbxContent>"
        "<w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></wps:txbx></w:drawing>"
        "</mc:Choice>"
        "<mc:Fallback><w:t>TWICE</w:t></mc:Fallback></mc:AlternateContent></w:r>",
    )
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Cut through a pump",
        "See the manual",
        "In a box",
    ]


def test_headers_and_footers_once(tmp_path: Path, document: DocumentType) -> None:
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.sections[0].footer.paragraphs[0].text = "Page 3 of 9"
    document.add_paragraph("Text.")
    second = document.add_section()
    second.header.is_linked_to_previous = False
    second.header.paragraphs[0].text = "Confidential"
    document.add_paragraph("More.")
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Confidential",
        "Text.",
        "More.",
    ]


def test_properties(tmp_path: Path, document: DocumentType) -> None:
    document.core_properties.title = "Microsoft Word - travel.doc"
    document.core_properties.author = "Ann"
    document.core_properties.keywords = "travel, leave"
    document.add_heading("Travel", 1)
    got = read(tmp_path, document)
    assert got.title == "Travel"
    assert got.properties["author"] == "Ann"
    assert got.properties["keywords"] == "travel, leave"
    assert "description" not in got.properties


def test_footnotes_and_comments_follow_their_paragraph(tmp_path: Path) -> None:
    space = "xmlns:w='http://purl.oclc.org/ooxml/wordprocessingml/main'"
    relations = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    parts = {
        "_rels/.rels": f"<Relationships><Relationship Id='1' Type='{relations}/officeDocument' "
        "Target='word/document.xml'/></Relationships>",
        "word/_rels/document.xml.rels": "<Relationships>"
        f"<Relationship Id='1' Type='{relations}/footnotes' Target='footnotes.xml'/>"
        f"<Relationship Id='2' Type='{relations}/comments' Target='comments.xml'/></Relationships>",
        "word/document.xml": f"<w:document {space}><w:body><w:p><w:r><w:t>Fact</w:t></w:r>"
        "<w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:commentReference w:id='0'/></w:r></w:p>"
        "<w:p><w:r><w:t>Next.</w:t></w:r></w:p></w:body></w:document>",
        "word/footnotes.xml": f"<w:footnotes {space}><w:footnote w:id='2'><w:p><w:r>"
        "<w:t>Its source.</w:t></w:r></w:p></w:footnote></w:footnotes>",
        "word/comments.xml": f"<w:comments {space}><w:comment w:id='0' w:author='Bo'><w:p><w:r>"
        "<w:t>Check!</w:t></w:r></w:p></w:comment></w:comments>",
    }
    path = tmp_path / "strict.docx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    assert blocks(convert(path)) == [
        ("paragraph", 0, "Fact[1]"),
        ("footnote", 0, "[1] Its source."),
        ("footnote", 0, "Comment by Bo: Check!"),
        ("paragraph", 0, "Next."),
    ]


def test_lines_broken_into_paragraphs_are_joined(tmp_path: Path, document: DocumentType) -> None:
    document.add_paragraph("The code must be longer than 14 characters and", style="List Bullet")
    document.add_paragraph("contain both letters and numbers.")
    document.add_paragraph("A paragraph of its own.")
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "The code must be longer than 14 characters and contain both letters and numbers.",
        "A paragraph of its own.",
    ]


def test_labelled_lines_below_one_another_are_a_paragraph_each(
    tmp_path: Path, document: DocumentType
) -> None:
    document.add_paragraph("Phone: 01632 960 114\nDeposit: 60 euros")
    document.add_paragraph("Two lines\nof one sentence.")
    assert [text for _, _, text in blocks(read(tmp_path, document))] == [
        "Phone: 01632 960 114",
        "Deposit: 60 euros",
        "Two lines of one sentence.",
    ]


def test_a_document_without_its_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(ConversionError, match="damaged: it has no document part"):
        convert(path)
