from email.message import EmailMessage
from pathlib import Path

import pytest

from pipelines.convert.eml import convert
from pipelines.convert.extracted import Extracted
from pipelines.errors import ConversionError


@pytest.fixture
def message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Größe der Pumpe – Prüfung"
    message["From"] = "Jürgen <j@example.org>"
    message["To"] = "a@example.org"
    message["Date"] = "Mon, 20 Nov 2023 10:00:00 +0100"
    return message


def read(tmp_path: Path, message: EmailMessage | bytes) -> Extracted:
    path = tmp_path / "mail.eml"
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return convert(path)


def texts(extracted: Extracted) -> list[tuple[str, str]]:
    return [
        (b.kind, extracted.text[b.start : b.end]) for b in extracted.blocks if b.kind != "property"
    ]


def test_heads_body_and_quotation(tmp_path: Path, message: EmailMessage) -> None:
    message.set_content(
        "The pump is broken and we need somebody who can repair it before\n"
        "the end of this week.\n\n"
        "On Monday Bob wrote:\n> Is it\n> really broken?\n"
    )
    message.add_alternative("<p>The pump is broken and so on, the end of this week.", "html")
    got = read(tmp_path, message)
    assert got.title == "Größe der Pumpe – Prüfung"
    assert got.properties == {
        "from": "Jürgen <j@example.org>",
        "to": "a@example.org",
        "date": "2023-11-20 10:00:00+01:00",
    }
    assert texts(got) == [
        ("heading", "Größe der Pumpe – Prüfung"),
        (
            "paragraph",
            "The pump is broken and we need somebody who can repair it before the end of "
            "this week.",
        ),
        ("paragraph", "On Monday Bob wrote:"),
        ("paragraph", "Is it really broken?"),
    ]


def test_html_is_read_where_there_is_no_plain_text(tmp_path: Path, message: EmailMessage) -> None:
    message.set_content(
        "<p>Hello</p><p style='display:none'>SECRET</p><ul><li>one</ul>", subtype="html"
    )
    assert texts(read(tmp_path, message))[1:] == [("paragraph", "Hello"), ("list_item", "one")]


def test_attachments_are_converted_or_named(tmp_path: Path, message: EmailMessage) -> None:
    message.set_content("See below.")
    message.add_attachment(
        b"# Manual\n\nOil it.\n", maintype="text", subtype="markdown", filename="../m.md"
    )
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="photo.png")
    message.add_attachment(b"x", maintype="application", subtype="zip", filename="broken.docx")
    inner = EmailMessage()
    inner["Subject"], inner["From"] = "Inner", "c@example.org"
    inner.set_content("Inside.")
    message.add_attachment(inner)
    got = read(tmp_path, message)
    assert texts(got)[1:] == [
        ("paragraph", "See below."),
        ("heading", "Attachment: m.md"),
        ("heading", "Manual"),
        ("paragraph", "Oil it."),
        ("heading", "Attachment: Inner"),
        ("heading", "Inner"),
        ("paragraph", "Inside."),
    ]
    assert "attachment: photo.png" in got.text
    assert [notice.partition(":")[0] for notice in got.notices] == [
        "attachment photo.png was not read",
        "attachment broken.docx was not read",
    ]


def mixed(message: EmailMessage, *parts: tuple[str, str]) -> EmailMessage:
    message.make_mixed()
    for text, kind in parts:
        part = EmailMessage()
        part.set_content(text, subtype=kind)
        message.attach(part)
    return message


def test_texts_that_are_no_alternatives_are_all_read(tmp_path: Path, message: EmailMessage) -> None:
    mixed(message, ("See the list.", "plain"), ("a,b\n1,2\n", "csv"), ("<p>Due 4 May.", "html"))
    got = read(tmp_path, message)
    assert texts(got)[1:] == [("paragraph", "See the list."), ("paragraph", "Due 4 May.")]
    assert got.notices == (
        "attachment without name (text/csv) was not read: no converter for a file without suffix",
    )


def test_a_text_below_alternatives_is_read(tmp_path: Path, message: EmailMessage) -> None:
    both = EmailMessage()
    both.set_content("See inside.")
    both.add_alternative("<p>See inside.", "html")
    both.get_payload()[1].make_mixed()
    both.get_payload()[1].add_attachment("a line", filename="log.txt")
    mixed(message, ("From outside.", "plain"))
    message.attach(both)
    message.attach(mixed(EmailMessage(), ("Leave this list.", "plain")))
    assert [text for _, text in texts(read(tmp_path, message))[1:]] == [
        "From outside.", "See inside.", "Leave this list.", "Attachment: log.txt", "a line",
    ]  # fmt: skip


@pytest.mark.parametrize("page", ["<style>{}</style><img src=a>", "<!-- {} -->", "<p hidden>{}"])
def test_plain_text_is_read_where_html_shows_nothing(
    tmp_path: Path, message: EmailMessage, page: str
) -> None:
    message.set_content("The deadline is 4 May.")
    message.add_alternative(page.format(".a { color: red } " * 50), "html")
    assert texts(read(tmp_path, message))[1:] == [("paragraph", "The deadline is 4 May.")]


def test_styles_in_the_head_of_an_html_mail_hide(tmp_path: Path, message: EmailMessage) -> None:
    message.set_content(
        "<head><style>.pre{display:none}</style></head><body><p class=pre>SECRET</p>Hello</body>",
        subtype="html",
    )
    assert texts(read(tmp_path, message))[1:] == [("paragraph", "Hello")]


def test_a_text_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    part = "--x\nContent-Type: text/plain; charset={}\nContent-Transfer-Encoding: {}\n\n{}\n"
    head = "From: a@example.org\nContent-Type: multipart/mixed; boundary=x\n\n"
    body = (
        part.format("iso-2022-cn", "8bit", "\x1b$)AText")
        + part.format("utf-8", "base64", "AAECAwQFBgcIAAECAwQF")
        + part.format("utf-8", "8bit", "Seen.")
    )
    got = read(tmp_path, f"{head}{body}--x--\n".encode())
    assert texts(got)[-1] == ("paragraph", "Seen.")
    assert got.notices == ("a text part was not read: binary data, not text",)


def test_messages_within_messages_end(tmp_path: Path, message: EmailMessage) -> None:
    message.set_content("level 0")
    for depth in range(1, 6):
        outer = EmailMessage()
        outer["Subject"], outer["From"] = f"outer {depth}", "c@example.org"
        outer.set_content(f"level {depth}")
        outer.add_attachment(message)
        message = outer
    got = read(tmp_path, message)
    assert [text for kind, text in texts(got) if kind == "paragraph"] == [
        "level 5",
        "level 4",
        "level 3",
    ]
    assert "nested too deeply" in got.notices[0]


def test_unknown_charset_and_bad_date(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        b"From: a@example.org\nDate: some day\n"
        b"Content-Type: text/plain; charset=x-none\n\nCaf\xe9 ok\n",
    )
    assert texts(got) == [("paragraph", "Café ok")]
    assert got.properties["date"] == "some day"


def test_latin_1_is_read_as_windows_1252(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        b"From: a@example.org\nContent-Type: text/plain; charset=iso-8859-1\n\n"
        b"It\x92s 5 \x80 \x96 caf\xe9\n",
    )
    assert texts(got) == [("paragraph", "It’s 5 € – café")]


def test_what_is_no_mail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="not an e-mail"):
        read(tmp_path, b"Just some text.\nNothing else.\n")
