from lxml import etree

from pipelines.convert.docx_styles import Numbering, Styles

W = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'"


def numbering(levels: str, nums: str = "<w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num>"):
    kind = f"<w:abstractNum w:abstractNumId='0'>{levels}</w:abstractNum>"
    xml = f"<w:numbering {W}>{kind}{nums}</w:numbering>"
    return Numbering(etree.fromstring(xml))


def level(index: int, form: str, text: str, start: int = 1) -> str:
    return (
        f"<w:lvl w:ilvl='{index}'><w:start w:val='{start}'/><w:numFmt w:val='{form}'/>"
        f"<w:lvlText w:val='{text}'/></w:lvl>"
    )


def test_numbers_as_word_shows_them() -> None:
    lists = numbering(level(0, "decimal", "%1.") + level(1, "lowerLetter", "%1.%2)"))
    assert [lists.marker("1", depth) for depth in (0, 1, 1, 0, 1)] == [
        "1.", "1.a)", "1.b)", "2.", "2.a)",
    ]  # fmt: skip


def test_roman_and_bullets_and_unknown_lists() -> None:
    lists = numbering(level(0, "upperRoman", "%1", start=4) + level(1, "bullet", "o"))
    assert lists.marker("1", 0) == "IV"
    assert lists.marker("1", 1) == ""
    assert lists.marker("7", 0) is None


def test_a_second_list_of_one_kind_starts_again_where_it_says_so() -> None:
    restart = (
        "<w:num w:numId='1'><w:abstractNumId w:val='0'/></w:num><w:num w:numId='2'>"
        "<w:abstractNumId w:val='0'/><w:lvlOverride w:ilvl='0'><w:startOverride w:val='1'/>"
        "</w:lvlOverride></w:num>"
    )
    lists = numbering(level(0, "decimal", "%1."), restart)
    assert [lists.marker(one, 0) for one in ("1", "1", "2", "2")] == ["1.", "2.", "1.", "2."]


def test_styles_that_are_based_on_each_other_end() -> None:
    xml = (
        f"<w:styles {W}><w:style w:styleId='a'><w:name w:val='A'/><w:basedOn w:val='b'/></w:style>"
        "<w:style w:styleId='b'><w:name w:val='heading 3'/><w:basedOn w:val='a'/></w:style>"
        "</w:styles>"
    )
    styles = Styles(etree.fromstring(xml))
    assert styles.get("a").outline == 2
    assert styles.get("unknown").outline is None
