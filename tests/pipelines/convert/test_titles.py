import pytest

from pipelines.convert.titles import meaningful_title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Annual Report 2022", "Annual Report 2022"),
        ("Microsoft Word - Travel Policy", "Travel Policy"),
        ("Microsoft Word - travel.doc", None),
        ("PowerPoint Presentation", None),
        ("untitled-1", None),
        ("Untitled document", None),
        ("report_final.indd", None),
        ("  ", None),
        (None, None),
        ("Document management", "Document management"),
    ],
)
def test_what_programs_write_is_no_title(text: str | None, title: str | None) -> None:
    assert meaningful_title(text) == title
