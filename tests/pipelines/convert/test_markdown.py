from pathlib import Path

import pytest

from pipelines.convert.extracted import Extracted
from pipelines.convert.markdown import convert


def markdown(tmp_path: Path, text: str) -> Extracted:
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return convert(path)


def blocks(extracted: Extracted) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, extracted.text[b.start : b.end]) for b in extracted.blocks]


def texts(extracted: Extracted, kind: str) -> list[str]:
    return [text for known, _, text in blocks(extracted) if known == kind]


def test_structure_is_kept(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "Pumps\n=====\n\nSee [the *manual*][m] for `code`.[^1]\n\n"
        "1. Open\n   - slowly\n2. Close\n\n- [x] done\n- [ ] to do\n\n"
        "| Part | Qty |\n|------|----:|\n| Bolt | 12 |\n\n"
        "```c\nint x;\n  y();\n```\n\n> Quoted.\n\nTerm\n: Its meaning.\n\n"
        "![A pump](pump.png)\n\n[m]: http://x\n[^1]: A note.\n",
    )
    assert blocks(got) == [
        ("heading", 1, "Pumps"),
        ("paragraph", 0, "See the manual for code.[1]"),
        ("list_item", 0, "1. Open"),
        ("list_item", 1, "slowly"),
        ("list_item", 0, "2. Close"),
        ("list_item", 0, "[x] done"),
        ("list_item", 0, "[ ] to do"),
        ("table_row", 0, "Part: Bolt | Qty: 12"),
        ("code", 0, "int x;\n  y();"),
        ("paragraph", 0, "Quoted."),
        ("list_item", 0, "Term: Its meaning."),
        ("paragraph", 0, "A pump"),
        ("footnote", 0, "[1] A note."),
    ]
    assert got.title == "Pumps"


def test_front_matter_becomes_properties_as_written(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "---\ntitle: Mid-year review\nkeywords: [review, HR Links]\ndate: 2024-05-01\nactive: yes\n"
        "redirect_from:\n  - /old/\n---\n\nText.\n",
    )
    assert got.title == "Mid-year review"
    assert got.properties == {
        "title": "Mid-year review",
        "keywords": "review, HR Links",
        "date": "2024-05-01",
        "active": "yes",
        "redirect_from": "/old/",
    }
    assert texts(got, "property") == [
        "title: Mid-year review",
        "keywords: review, HR Links",
        "date: 2024-05-01",
        "active: yes",
    ]


def test_nested_front_matter_is_readable(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "---\nparameters:\n- tag: S\n  optional: true\n  description: Number of steps\n"
        "  values:\n  - tag: rate\n    type: float\n- tag: X\n---\nText",
    )
    assert texts(got, "property") == [
        "parameters: tag: S; optional: true; description: Number of steps; "
        "values: (tag: rate; type: float)",
        "parameters: tag: X",
    ]


def test_broken_front_matter_is_kept_and_said(tmp_path: Path) -> None:
    got = markdown(tmp_path, "---\ntitle: [a\nnote: x\n---\nText")
    assert got.notices == ("front matter is not valid and was kept as text",)
    assert texts(got, "property") == ["title: [a", "note: x"]
    assert texts(got, "paragraph") == ["Text"]


def test_yaml_cannot_explode_or_construct(tmp_path: Path) -> None:
    levels = "\n".join(
        f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" if n else "l0: &l0 [x, x]"
        for n in range(9)
    )
    got = markdown(tmp_path, f"---\n{levels}\nrun: !!python/object/apply:os.getpid []\n---\nText")
    assert len(got.text) < 1_000_000
    assert texts(got, "paragraph") == ["Text"]


def test_template_tags_give_way_to_what_they_show(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "---\ntitle: Travel\n---\n"
        '{% include alert.html type="info" content="Book *early* please." %}\n\n'
        '{% include "step.html" steps: a.b %}\n\n'
        'Ask in {% slack_channel "travel" %} or [read on]({% page "/travel/guide/" %}).\n\n'
        "{% comment %}TODO{% endcomment %}{::comment}HIDDEN{:/comment}\n\n"
        "{% if site.beta %}Beta text.{% endif %}\n\n{: .note}\n\n"
        "{% panel info Note %}\nMind the gap.\n{% endpanel %}\n\nOn {{ page.title }} now.\n\n"
        "Write `{% raw %}` and `{{ name }}`:\n\n```\n{{ kept }} {% kept %}\n```\n",
    )
    assert texts(got, "paragraph") == [
        "Book early please.",
        "Ask in travel or read on.",
        "Beta text.",
        "Note",
        "Mind the gap.",
        "On Travel now.",
        "Write {% raw %} and {{ name }}:",
    ]
    assert texts(got, "code") == ["{{ kept }} {% kept %}"]


def test_braces_in_ordinary_text_stay(tmp_path: Path) -> None:
    assert markdown(tmp_path, "Put {{ name }} there.").text == "Put {{ name }} there."


def test_embedded_html_follows_the_rules_of_html(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "Text <span style='display:none'>SECRET</span>more.\n\n"
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>\n\n"
        "Use `G28` with E<extruder> set.\n",
    )
    assert texts(got, "paragraph") == ["Text more.", "Use G28 with E<extruder> set."]
    assert texts(got, "table_row") == ["A: 1 | B: 2"]


def test_a_hidden_heading_is_no_title(tmp_path: Path) -> None:
    got = markdown(tmp_path, "<h1 hidden>SECRET</h1>\n\n# Pumps\n\nText.\n")
    assert (got.title, got.text) == ("Pumps", "Pumps\n\nText.")


def test_formats_of_numbers_are_no_attributes(tmp_path: Path) -> None:
    kept = "Write {:.2f}, {:>10}, {:#x}, {: d}, {:%H:%M} or {:?}."
    assert markdown(tmp_path, kept).text == kept
    marks = "{: .note}{:.no_toc #top}{:toc}{:target='_blank'}{: middle}{:middle: .m}{:/}{::x /}"
    assert markdown(tmp_path, f"Text{marks}.").text == "Text."


def test_a_line_in_bold_of_its_own_stands_apart(tmp_path: Path) -> None:
    got = markdown(tmp_path, "**Note**  \nWe recommend it.")
    assert texts(got, "paragraph") == ["Note", "We recommend it."]


def test_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_bytes("﻿---\r\ntitle: Ä\r\n---\r\n# Über\r\n\r\nText.\r\n".encode())
    got = convert(path)
    assert got.title == "Ä"
    assert texts(got, "heading") == ["Über"]


def test_deep_lists_are_read(tmp_path: Path) -> None:
    got = markdown(tmp_path, "".join(f"{'  ' * depth}- item {depth}\n" for depth in range(30)))
    assert blocks(got)[-1] == ("list_item", 29, "item 29")


def test_marks_without_end_are_text(tmp_path: Path) -> None:
    got = markdown(tmp_path, "{% include 'a' " * 500 + "`" * 3000 + " end")
    assert got.text.endswith("end")


def test_nothing_but_comments_holds_no_text(tmp_path: Path) -> None:
    assert markdown(tmp_path, "<!-- nothing -->\n").text == ""


def test_labelled_lines_below_one_another_are_a_paragraph_each(tmp_path: Path) -> None:
    got = markdown(
        tmp_path,
        "## Leeds\n\n**Phone:** 01632 960 114\nTel.: 114\nKey: hook 4 behind the bar,\n"
        "next to the till\nDeposit: 60 euros\n",
    )
    assert texts(got, "paragraph") == [
        "Phone: 01632 960 114",
        "Tel.: 114",
        "Key: hook 4 behind the bar, next to the till",
        "Deposit: 60 euros",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Q: May I bring my dog?\nA: On a lead: yes.",
        "There are two rules: be kind\nand be on time.\nThe rest is up to you.",
        "Phone: 01632 960 114\nAsk for Mrs Lund.",
    ],
)
def test_other_lines_are_one_paragraph(tmp_path: Path, text: str) -> None:
    assert texts(markdown(tmp_path, text), "paragraph") == [text.replace("\n", " ")]
