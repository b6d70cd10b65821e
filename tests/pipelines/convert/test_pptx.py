import io

import pytest
from PIL import Image
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from pipelines.convert.extracted import Extracted
from pipelines.convert.pptx import convert


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    deck = Presentation()
    area = [Inches(1)] * 4
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    slide.shapes.title.text = "Pump safety"
    slide.placeholders[1].text = "For new staff"
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Rules"
    frame = slide.placeholders[1].text_frame
    frame.text = "Switch off first"
    deeper = frame.add_paragraph()
    deeper.text, deeper.level = "and lock", 1
    slide.notes_slide.notes_text_frame.text = "Show the lock.\nAsk who knows it."
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Figures"
    table = slide.shapes.add_table(2, 2, *area).table
    for cell, text in zip(table.iter_cells(), ["Part", "Qty", "Bolt", "12"], strict=True):
        cell.text = text
    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Q1", (1.5, 2))
    data.add_series("Q2", (3, 4))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *area, data)
    image = io.BytesIO()
    Image.new("RGB", (1, 1)).save(image, "PNG")
    image.seek(0)
    picture = slide.shapes.add_picture(image, 0, 0)
    picture._element.nvPicPr.cNvPr.set("descr", "Cut through a pump")
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(*area).text_frame.text = "In a group"
    hidden = slide.shapes.add_textbox(*area)
    hidden.text_frame.text = "HIDDEN"
    hidden._element.nvSpPr.cNvPr.set("hidden", "1")
    deck.core_properties.title = "PowerPoint Presentation"
    deck.core_properties.author = "Ann"
    path = tmp_path_factory.mktemp("pptx") / "deck.pptx"
    deck.save(str(path))
    return convert(path)


def test_slides_are_pages_with_their_title(extracted: Extracted) -> None:
    got = [
        (b.kind, b.level, b.page, extracted.text[b.start : b.end])
        for b in extracted.blocks
        if b.kind != "property"
    ]
    assert got == [
        ("heading", 1, 1, "Pump safety"),
        ("paragraph", 0, 1, "For new staff"),
        ("heading", 1, 2, "Rules"),
        ("list_item", 0, 2, "Switch off first"),
        ("list_item", 1, 2, "and lock"),
        ("paragraph", 0, 2, "Notes: Show the lock."),
        ("paragraph", 0, 2, "Ask who knows it."),
        ("heading", 1, 3, "Figures"),
        ("table_row", 0, 3, "Part: Bolt | Qty: 12"),
        ("table_row", 0, 3, "East | Q1: 1.5 | Q2: 3"),
        ("table_row", 0, 3, "West | Q1: 2 | Q2: 4"),
        ("caption", 0, 3, "Cut through a pump"),
        ("heading", 1, 4, "Slide 4"),
        ("paragraph", 0, 4, "In a group"),
    ]


def test_the_title_is_the_first_slides_when_the_property_says_nothing(extracted: Extracted) -> None:
    assert extracted.title == "Pump safety"
    assert extracted.properties["author"] == "Ann"
    assert "description" not in extracted.properties
