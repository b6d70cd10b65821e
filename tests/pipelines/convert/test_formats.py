"""What holds for every format, on one document written in each of them."""

from collections.abc import Callable
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path

import pytest
from docx import Document
from pptx import Presentation
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate

from pipelines.convert import FORMATS, convert_file
from pipelines.errors import ConversionError

HEAD, BODY, ITEM = "Résumé of rules", "Ein Satz über ﬁre – and water.", "first item"
Write = Callable[[Path], object]


def write_docx(path: Path) -> None:
    document = Document()
    document.add_heading(HEAD, 1)
    document.add_paragraph(BODY)
    document.add_paragraph(ITEM, style="List Bullet")
    document.save(str(path))


def write_pptx(path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = HEAD
    slide.placeholders[1].text_frame.text = BODY
    slide.placeholders[1].text_frame.add_paragraph().text = ITEM
    deck.save(str(path))


def write_pdf(path: Path) -> None:
    styles = getSampleStyleSheet()
    body = BODY.replace("ﬁ", "fi")
    texts = [(HEAD, "Heading1"), (body, "BodyText"), (f"• {ITEM}", "BodyText")]
    SimpleDocTemplate(str(path)).build([Paragraph(text, styles[name]) for text, name in texts])


def write_eml(path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"] = HEAD, "a@example.org"
    message.set_content(f"{BODY}\n\n- {ITEM}\n")
    path.write_bytes(message.as_bytes())


HTML = f"<meta charset=utf-8><h1>{HEAD}</h1><p>{BODY}</p><ul><li>{ITEM}</ul>"
WRITERS: dict[str, Write] = {
    ".md": lambda path: path.write_text(f"# {HEAD}\n\n{BODY}\n\n- {ITEM}\n", encoding="utf-8"),
    ".html": lambda path: path.write_text(HTML, encoding="utf-8"),
    ".txt": lambda path: path.write_text(
        f"{HEAD}\n{'=' * len(HEAD)}\n\n{BODY}\n\n- {ITEM}\n", encoding="utf-8"
    ),
    ".docx": write_docx,
    ".pptx": write_pptx,
    ".pdf": write_pdf,
    ".eml": write_eml,
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_blocks_cover_the_text_in_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path)
    got = convert_file(path)
    assert got.blocks[0].start == 0
    assert got.blocks[-1].end == len(got.text)
    for block, following in pairwise(got.blocks):
        assert block.end <= following.start
        assert got.text[block.end : following.start].strip() == ""
    for block in got.blocks:
        assert block.start < block.end
        text = got.text[block.start : block.end]
        assert text == text.strip()
        assert text.encode("utf-8")
        assert "\r" not in text


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_document_reads_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path)
    got = convert_file(path)
    blocks = {got.text[b.start : b.end]: b.kind for b in got.blocks}
    assert got.title == HEAD
    assert blocks[HEAD] == "heading"
    assert blocks["Ein Satz über fire – and water."] in ("paragraph", "list_item")
    assert blocks[ITEM] == "list_item"


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_cut_short_anywhere_ends_in_an_answer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path)
    data = path.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        try:
            answer = convert_file(path).text
        except ConversionError as error:
            answer = str(error)
            lines = answer.splitlines()
            answer = answer if len(lines) == 1 and str(path) not in answer else ""
        assert answer


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) & set(WRITERS)))
def test_noise_ends_in_an_answer(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(range(256)) * 64)
    with pytest.raises(ConversionError):
        convert_file(path)
