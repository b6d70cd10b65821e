import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.lib import pdfencrypt
from reportlab.lib.colors import Color, blue, grey, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle

from pipelines.convert.extracted import Extracted
from pipelines.convert.pdf import convert
from pipelines.convert.worker import ConversionPool
from pipelines.errors import ConversionError

WIDTH, HEIGHT = A4
PROSE = (
    "The pump moves water from the lower basin to the upper one and has to be looked after "
    "by people who were trained for it. "
)
Draw = Callable[[Canvas], None]


def read(tmp_path: Path, *pages: Draw, **options: object) -> Extracted:
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=A4, **options)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return convert(path)


def write(*lines: str, x: float = 72, y: float = 700, size: float = 11, bold: bool = False) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold" if bold else "Helvetica", size)
        for number, line in enumerate(lines):
            canvas.drawString(x, y - number * 1.2 * size, line)

    return draw


def both(*draws: Draw) -> Draw:
    def draw(canvas: Canvas) -> None:
        for one in draws:
            one(canvas)

    return draw


def blocks(extracted: Extracted) -> list[tuple[str, int | None, str]]:
    return [
        (b.kind, b.page, extracted.text[b.start : b.end])
        for b in extracted.blocks
        if b.kind != "property"
    ]


def test_headings_by_size_paragraphs_and_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    styles = getSampleStyleSheet()
    story = [
        Paragraph("Pump manual", styles["Title"]),
        Paragraph("Safety", styles["Heading1"]),
        Paragraph(PROSE * 3, styles["BodyText"]),
        Paragraph("Locks", styles["Heading2"]),
        Paragraph(PROSE * 2, styles["BodyText"]),
    ]
    SimpleDocTemplate(str(path), title="untitled", author="Ann").build(story)
    got = convert(path)
    assert blocks(got) == [
        ("heading", 1, "Pump manual"),
        ("heading", 1, "Safety"),
        ("paragraph", 1, (PROSE * 3).strip()),
        ("heading", 1, "Locks"),
        ("paragraph", 1, (PROSE * 2).strip()),
    ]
    levels = [b.level for b in got.blocks if b.kind == "heading"]
    assert levels[0] <= levels[1] < levels[2]
    assert got.title == "Pump manual"
    assert got.properties["author"] == "Ann"
    assert len(got.properties["created"]) == 10


def test_bookmarks_give_the_levels(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        for level, (title, y) in enumerate(
            [("1. Pumps", 700), ("1.1 Oil", 600), ("1.1.1 Ex", 500)]
        ):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, level=level)
            write(title, y=y)(canvas)
            write(PROSE[:80], y=y - 40)(canvas)

    got = read(tmp_path, draw)
    heads = [(b.level, got.text[b.start : b.end]) for b in got.blocks if b.kind == "heading"]
    assert heads == [(1, "1. Pumps"), (2, "1.1 Oil"), (3, "1.1.1 Ex")]


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = [f"left column line {n} goes on" for n in range(9)]
    right = [f"right column line {n} goes on" for n in range(9)]
    got = read(tmp_path, both(write(*left), write(*right, x=320)))
    assert got.text.index("left column line 8") < got.text.index("right column line 0")
    assert not any(kind == "table_row" for kind, _, _ in blocks(got))


def test_words_cut_at_line_ends_are_joined(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        write(
            "The maintenance of this machine is part of the produc-",
            "tion plan for the year and for the mid-year plan. A mid-",
            "year review is held by those who know the production.",
        ),
    )
    assert blocks(got) == [
        (
            "paragraph",
            1,
            "The maintenance of this machine is part of the production plan for the year and for "
            "the mid-year plan. A mid-year review is held by those who know the production.",
        )
    ]


def test_a_paragraph_goes_on_over_a_page_break(tmp_path: Path) -> None:
    got = read(tmp_path, write("This sentence begins here and", y=90), write("ends there.", y=700))
    assert blocks(got) == [("paragraph", 1, "This sentence begins here and ends there.")]
    with ConversionPool() as pool:
        ((_, again),) = pool.convert([tmp_path / "a.pdf"], lambda path: path)
    assert isinstance(again, Extracted)
    for extracted in (got, again):
        (block,) = (block for block in extracted.blocks if block.kind == "paragraph")
        assert block.turns == ((extracted.text.index("ends"), 2),)


def test_running_heads_are_kept_once_and_page_numbers_are_not(tmp_path: Path) -> None:
    pages = [
        both(
            write("Annual Report 2023", y=800),
            write(f"Text of page number {word} only."),
            write(f"Page {number} of 4", y=30),
        )
        for number, word in enumerate(["one", "two", "three", "four"], start=1)
    ]
    got = read(tmp_path, *pages)
    assert got.text.count("Annual Report 2023") == 1
    assert "Page 2 of 4" not in got.text
    assert [page for _, page, text in blocks(got) if text.startswith("Text of")] == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 4])
def test_numbers_in_a_table_at_the_foot_of_a_page_are_kept(tmp_path: Path, count: int) -> None:
    def table(letter: str, y: float) -> Draw:
        cells = ((72, f"Pump seal {letter}"), (300, "137"), (420, "2037"), (500, "40.50"))
        return both(*(write(text, x=x, y=y) for x, text in cells))

    pages = [
        both(
            write("Price list", y=800),
            write(str(number), x=500, y=800),
            table("a", 92),
            table("bcde"[number], 76),
            write(f"- {number + 1} -", x=280, y=30),
        )
        for number in range(count)
    ]
    got = read(tmp_path, *pages)
    rows = [text for kind, _, text in blocks(got) if kind == "table_row" and "seal" in text]
    assert len(rows) == 2 * count
    assert all(row.endswith("| 137 | 2037 | 40.50") for row in rows)
    assert "- 1 -" not in got.text
    if count > 1:
        # Beside a running head it is a page's number.
        assert [text for _, _, text in blocks(got) if text not in rows] == ["Price list"]


def test_contents_with_dots_are_left_out(tmp_path: Path) -> None:
    got = read(
        tmp_path, write("Pumps ................................ 7"), write("Pumps are here.")
    )
    assert got.text == "Pumps are here."


def test_ruled_table_with_spans(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    table = Table([["Goal", "Type", "Value"], ["Less waste", "Target", "5"], ["", "Actual", "7"]])
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.5, blue),
                ("SPAN", (0, 1), (0, 2)),
                ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"),
            ]
        )
    )
    SimpleDocTemplate(str(path)).build([table])
    assert [text for _, _, text in blocks(convert(path))] == [
        "Goal: Less waste | Type: Target | Value: 5",
        "Goal: Less waste | Type: Actual | Value: 7",
    ]


def test_aligned_columns_without_lines(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        rows = [("Part", "Qty", "Price"), ("Bolt", "12", "0.10"), ("Washer", "100", "0.02")]
        for number, row in enumerate(rows):
            canvas.setFont("Helvetica-Bold" if number == 0 else "Helvetica", 10)
            for x, text in zip((72, 200, 300), row, strict=True):
                canvas.drawString(x, 700 - 16 * number, text)

    assert [text for _, _, text in blocks(read(tmp_path, draw))] == [
        "Part: Bolt | Qty: 12 | Price: 0.10",
        "Part: Washer | Qty: 100 | Price: 0.02",
    ]


def test_labels_stay_with_their_values(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        rows = [
            ("Location:", "Seward, AK", "Injuries:", "2 None"),
            ("Aircraft:", "Piper", "Fire:", ""),
        ]
        for number, row in enumerate(rows):
            for x, text in zip((72, 160, 320, 420), row, strict=True):
                canvas.drawString(x, 700 - 20 * number, text)

    assert [text for _, _, text in blocks(read(tmp_path, draw))] == [
        "Location: Seward, AK | Injuries: 2 None",
        "Aircraft: Piper | Fire:",
    ]


def test_lists(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        both(
            write("• Switch the pump off before you", y=700),
            write("open the lid.", x=79, y=686),
            write("• Lock it.", y=672),
            write("1. Close it.", x=90, y=658),
        ),
    )
    assert blocks(got) == [
        ("list_item", 1, "Switch the pump off before you open the lid."),
        ("list_item", 1, "Lock it."),
        ("list_item", 1, "1. Close it."),
    ]


def test_what_cannot_be_seen_is_left_out(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        write("Seen text stands here.")(canvas)
        canvas.setFillColor(white)
        canvas.drawString(72, 600, "WHITE on white")
        canvas.setFillColor(blue)
        canvas.rect(60, 480, 300, 40, stroke=0, fill=1)
        canvas.setFillColor(white)
        canvas.drawString(72, 495, "White on blue.")
        canvas.setFillColor(blue)
        canvas.setFont("Helvetica", 1)
        canvas.drawString(72, 400, "TINY")
        canvas.setFont("Helvetica", 11)
        canvas.drawString(-500, 300, "OUTSIDE")
        text = canvas.beginText(72, 200)
        text.setTextRenderMode(3)
        text.textLine("INVISIBLE")
        canvas.drawText(text)

    got = read(tmp_path, draw)
    assert got.text == "Seen text stands here.\n\nWhite on blue."
    assert got.notices == ("page 1: text that cannot be seen was left out",)


def fill(canvas: Canvas, colour: object = white) -> None:
    canvas.setFillColor(colour)
    canvas.rect(60, 585, 300, 30, stroke=0, fill=1)


def unseen(canvas: Canvas, mode: int = 0, squeezed: float = 100) -> None:
    text = canvas.beginText(72, 595)
    text.setFont("Helvetica", 11)
    text.setTextRenderMode(mode)
    text.setHorizScale(squeezed)
    text.textLine("UNSEEN")
    canvas.drawText(text)


def faint(canvas: Canvas) -> None:
    canvas.setFillColor(Color(0.95, 0.96, 0.97))
    unseen(canvas)


def transparent(canvas: Canvas) -> None:
    canvas.setFillAlpha(0)
    unseen(canvas)


def as_clip(canvas: Canvas) -> None:
    unseen(canvas, 7)


def squeezed(canvas: Canvas) -> None:
    unseen(canvas, squeezed=0.1)


def covered(canvas: Canvas) -> None:
    unseen(canvas)
    fill(canvas)


def under_a_picture(canvas: Canvas) -> None:
    unseen(canvas)
    canvas.drawInlineImage(image(), 60, 585, 300, 30)


def of_the_pictures_colour(canvas: Canvas) -> None:
    canvas.drawInlineImage(image(), 60, 585, 300, 30)
    canvas.setFillColor(grey)
    unseen(canvas)


def in_a_form(canvas: Canvas) -> None:
    canvas.beginForm("form")
    canvas.setFillColor(white)
    unseen(canvas)
    canvas.endForm()
    canvas.doForm("form")


def clipped(canvas: Canvas) -> None:
    outline = canvas.beginPath()
    outline.rect(0, 0, 20, 20)
    canvas.clipPath(outline, stroke=0)
    unseen(canvas)


def over_a_blank_picture(canvas: Canvas) -> None:
    canvas.drawInlineImage(image(), 60, 585, 300, 30)
    unseen(canvas, 3)


UNSEEN = (
    faint,
    transparent,
    as_clip,
    squeezed,
    covered,
    under_a_picture,
    of_the_pictures_colour,
    in_a_form,
    clipped,
    over_a_blank_picture,
)


@pytest.mark.parametrize("hide", UNSEEN, ids=lambda hide: hide.__name__)
def test_text_that_makes_no_difference_to_the_page_is_left_out(tmp_path: Path, hide: Draw) -> None:
    got = read(tmp_path, both(write("Seen text stands here."), hide))
    assert got.text == "Seen text stands here."
    assert got.notices == ("page 1: text that cannot be seen was left out",)


def test_text_that_is_hard_to_judge_but_seen_is_kept(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawInlineImage(image(), 60, 585, 300, 30)
        canvas.setFillColor(white)
        canvas.drawString(72, 595, "White on a picture.")
        canvas.beginForm("form")
        canvas.setFillColor(blue)
        canvas.drawString(72, 495, "Blue in a form.")
        canvas.endForm()
        canvas.doForm("form")
        canvas.setFillColor(Color(0.8, 0.8, 0.8))
        canvas.drawString(72, 395, "Light grey.")
        canvas.setFillColor(blue)
        canvas.setFillAlpha(0.4)
        canvas.drawString(72, 295, "Half transparent.")
        outline = canvas.beginPath()
        outline.rect(60, 180, 300, 30)
        canvas.clipPath(outline, stroke=0)
        canvas.drawString(72, 195, "Within a clip.")

    told = "White on a picture.\n\nBlue in a form.\n\nLight grey.\n\nHalf transparent.\n\nWithin a clip."
    got = read(tmp_path, draw)
    assert (got.text, got.notices) == (told, ())


def test_a_very_large_page_is_judged_within_the_memory_of_a_worker(tmp_path: Path) -> None:
    path = tmp_path / "plan.pdf"
    canvas = Canvas(str(path), pagesize=(14_400, 14_400))
    write("Plan of the plant.", size=200, y=9000)(canvas)
    canvas.setFillColor(Color(0.95, 0.96, 0.97))
    write("UNSEEN", size=200)(canvas)
    canvas.setFillColor(Color(0.8, 0.8, 0.8))
    write("Light grey.", size=200, y=5000)(canvas)
    canvas.save()
    with ConversionPool() as pool:
        [(_, got)] = pool.convert([path], lambda one: one)
    assert isinstance(got, Extracted)
    assert " ".join(got.text.split()) == "Plan of the plant. Light grey."


def test_text_that_ocr_put_behind_an_image_is_kept(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawInlineImage(scan(), 0, 0, WIDTH, HEIGHT)
        text = canvas.beginText(72, 700)
        text.setTextRenderMode(3)
        text.textLine("Recognised by OCR software")
        canvas.drawText(text)

    assert read(tmp_path, draw).text == "Recognised by OCR software"


def image():
    from PIL import Image

    return Image.new("RGB", (10, 10), "grey")


def scan():
    from PIL import Image, ImageDraw

    page = Image.new("RGB", (int(WIDTH), int(HEIGHT)), "white")
    ImageDraw.Draw(page).text((72, HEIGHT - 712), "Recognised by OCR software", "black")
    return page


def test_a_scan_without_text_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ConversionError) as error:
        read(tmp_path, lambda canvas: canvas.drawInlineImage(image(), 0, 0, WIDTH, HEIGHT))
    assert str(error.value) == "no text layer (scanned?): run OCR first, e.g. ocrmypdf"


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    def scan(canvas: Canvas) -> None:
        canvas.drawInlineImage(image(), 0, 0, WIDTH, HEIGHT)

    got = read(tmp_path, write(PROSE), scan, write(PROSE), scan, scan)
    assert got.notices == (
        "pages 2, 4-5 have no text (scanned?): run OCR, e.g. ocrmypdf --skip-text",
    )


def test_passwords(tmp_path: Path) -> None:
    locked = pdfencrypt.StandardEncryption("user", "owner", strength=128)
    with pytest.raises(ConversionError) as error:
        read(tmp_path, write(PROSE), encrypt=locked)
    assert str(error.value) == "encrypted: it needs a password; save it without one first"
    opened = pdfencrypt.StandardEncryption("", "owner", strength=128)
    assert read(tmp_path, write(PROSE), encrypt=opened).text == PROSE.strip()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>not a PDF</html>", "damaged, truncated or not a PDF"),
        (b"%PDF-1.7\n1 0 obj\n<< /Type /Cat", "damaged, truncated or not a PDF"),
    ],
)
def test_damaged_files_are_said_plainly(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=f"^{reason}$"):
        convert(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    read(tmp_path, *[write(PROSE)] * 5)
    path = tmp_path / "a.pdf"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ConversionError):
        convert(path)


def test_form_fields_and_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def draw(canvas: Canvas) -> None:
        write("Enrollment form")(canvas)
        form = canvas.acroForm
        form.textfield(name="LastName", tooltip="Last Name", value="Doe", x=72, y=600)
        form.textfield(name="form1.City", x=72, y=550)
        form.checkbox(name="savings", tooltip="Savings", checked=True, x=72, y=500)

    with caplog.at_level(logging.WARNING):
        got = read(tmp_path, draw)
    assert [got.text[b.start : b.end] for b in got.blocks if b.kind == "property"] == [
        "Last Name: Doe",
        "Savings: yes",
        "Form fields: City",
    ]
    assert not caplog.records


def test_superscripts_stay_apart_from_numbers(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, 700)
        text.setFont("Helvetica", 12)
        text.textOut("It holds 10")
        text.setFont("Helvetica", 7)
        text.setRise(5)
        text.textOut("5")
        canvas.drawText(text)

    assert read(tmp_path, draw).text == "It holds 10⁵"


def test_a_turned_page_is_read_upright(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        canvas.rotate(90)
        canvas.drawString(100, -200, "First line of a wide page")
        canvas.drawString(100, -220, "and its second line.")

    assert read(tmp_path, draw).text == "First line of a wide page and its second line."


def tagged_pdf() -> bytes:
    """Write a tagged page: a heading, a table with a spanning cell, a figure, and a footer."""
    content = (
        b"BT /F1 10 Tf "
        b"/H1 <</MCID 0>> BDC 1 0 0 1 72 700 Tm (Results) Tj EMC "
        b"/TH <</MCID 1>> BDC 1 0 0 1 72 650 Tm (Goal) Tj EMC "
        b"/TH <</MCID 2>> BDC 1 0 0 1 300 650 Tm (Value) Tj EMC "
        b"/TD <</MCID 3>> BDC 1 0 0 1 72 625 Tm (Less) Tj 1 0 0 1 72 613 Tm (waste) Tj EMC "
        b"/TD <</MCID 4>> BDC 1 0 0 1 300 630 Tm (5) Tj EMC "
        b"/TD <</MCID 5>> BDC 1 0 0 1 300 610 Tm (7) Tj EMC "
        b"/P <</MCID 6>> BDC 1 0 0 1 72 500 Tm (A paragraph that is tagged.) Tj EMC "
        b"/Figure <</MCID 7>> BDC EMC "
        b"/Artifact BMC 1 0 0 1 72 400 Tm (Beside the structure.) Tj EMC ET"
    )
    page = b"/Pg 3 0 R"
    elements = {
        7: b"/S /Document /P 6 0 R /K [8 0 R 9 0 R 16 0 R 17 0 R]",
        8: b"/S /H1 /P 7 0 R /K 0",
        9: b"/S /Table /P 7 0 R /K [10 0 R 11 0 R 12 0 R]",
        10: b"/S /TR /P 9 0 R /K [13 0 R 14 0 R]",
        11: b"/S /TR /P 9 0 R /K [15 0 R 18 0 R]",
        12: b"/S /TR /P 9 0 R /K [19 0 R]",
        13: b"/S /TH /P 10 0 R /K 1",
        14: b"/S /TH /P 10 0 R /K 2",
        15: b"/S /TD /P 11 0 R /K 3 /A <</O /Table /RowSpan 2>>",
        16: b"/S /P /P 7 0 R /K 6",
        17: b"/S /Figure /P 7 0 R /Alt (A chart of waste) /K 7",
        18: b"/S /TD /P 11 0 R /K 4",
        19: b"/S /TD /P 12 0 R /K 5",
    }
    objects = {
        1: b"<</Type /Catalog /Pages 2 0 R /StructTreeRoot 6 0 R /MarkInfo <</Marked true>>>>",
        2: b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        3: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources <</Font <</F1 5 0 R>>>> /StructParents 0>>",
        4: b"<</Length %d>> stream\n%s\nendstream" % (len(content), content),
        5: b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
        6: b"<</Type /StructTreeRoot /K 7 0 R /ParentTree 20 0 R>>",
        20: b"<</Nums [0 [8 0 R 13 0 R 14 0 R 15 0 R 18 0 R 19 0 R 16 0 R 17 0 R]]>>",
    }
    objects |= {n: b"<</Type /StructElem %s %s>>" % (page, body) for n, body in elements.items()}
    data = b"%PDF-1.7\n"
    places = {}
    for number, body in sorted(objects.items()):
        places[number] = len(data)
        data += b"%d 0 obj %s endobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % places[number] for number in sorted(objects))
    return data + b"trailer <</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        start,
    )


def test_tags_are_preferred_to_the_layout(tmp_path: Path) -> None:
    path = tmp_path / "tagged.pdf"
    path.write_bytes(tagged_pdf())
    assert blocks(convert(path)) == [
        ("heading", 1, "Results"),
        ("table_row", 1, "Goal: Less waste | Value: 5"),
        ("table_row", 1, "Goal: Less waste | Value: 7"),
        ("paragraph", 1, "A paragraph that is tagged."),
        ("caption", 1, "A chart of waste"),
        ("paragraph", 1, "Beside the structure."),
    ]
