import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.convert.extracted import Block, Extracted
from pipelines.convert.json import convert
from pipelines.errors import ConversionError

Convert = Callable[..., Extracted]
LONG = "The pump is primed before it is started, or the seal runs dry and fails. " * 6


@pytest.fixture
def converted(tmp_path: Path) -> Convert:
    def run(value: object, name: str = "a.json") -> Extracted:
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return convert(path)

    return run


def shown(extracted: Extracted) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, extracted.text[b.start : b.end]) for b in extracted.blocks]


def rows(extracted: Extracted) -> list[Block]:
    return [block for block in extracted.blocks if block.kind == "table_row"]


def test_a_list_of_objects_is_a_table_with_the_types_it_has(converted: Convert) -> None:
    found = converted(
        [
            {
                "part": "Pump",
                "cost": 5,
                "spare": True,
                "code": "007",
                "at": {"site": "A", "b.no": 1},
            },
            {"part": "Hose", "cost": 6.5, "tags": ["new", "blue"], "code": "12", "left": None},
        ]
    )
    assert [b.columns for b in rows(found)] == [
        {"part": "Pump", "cost": 5.0, "spare": True, "code": "007", "at_site": "A", "at_b_no": 1},
        {"part": "Hose", "cost": 6.5, "code": "12", "tags": "new, blue"},
    ]
    assert [b.row for b in rows(found)] == [1, 2]
    assert shown(found)[1][2] == "part: Hose | cost: 6.5 | code: 12 | tags: new, blue"


def test_a_column_of_several_types_is_text(converted: Convert) -> None:
    found = converted([{"a": 1, "n": 1 << 60}, {"a": "x", "n": 2}, {"a": True, "n": 3}])
    assert [b.columns for b in rows(found)] == [
        {"a": "1", "n": str(1 << 60)}, {"a": "x", "n": "2"}, {"a": "true", "n": "3"},
    ]  # fmt: skip


def test_a_named_list_is_the_sheet_and_what_stands_beside_it_is_kept(converted: Convert) -> None:
    found = converted({"site": "North", "orders": [{"no": 1}, {"no": 2}]})
    assert shown(found)[0] == ("paragraph", 0, "site: North")
    assert [(b.sheet, b.row, b.columns) for b in rows(found)] == [
        ("orders", 1, {"no": 1}),
        ("orders", 2, {"no": 2}),
    ]


def test_objects_with_running_text_are_documents(converted: Convert) -> None:
    lines = [{"id": i, "title": f"Pump {i}", "text": f"{LONG}\n\nSecond {i}."} for i in (1, 2)]
    found = converted("\n".join(map(json.dumps, lines)), "a.jsonl")
    assert shown(found) == [
        ("heading", 1, "Pump 1"),
        ("paragraph", 0, "id: 1"),
        ("paragraph", 0, LONG.strip()),
        ("paragraph", 0, "Second 1."),
        ("heading", 1, "Pump 2"),
        ("paragraph", 0, "id: 2"),
        ("paragraph", 0, LONG.strip()),
        ("paragraph", 0, "Second 2."),
    ]


def test_a_question_is_the_title_of_its_answer(converted: Convert) -> None:
    found = converted([{"question": "Why prime a pump?", "answer": LONG, "source": "manual"}])
    assert [text for _, _, text in shown(found)] == [
        "Why prime a pump?", "source: manual", LONG.strip(),
    ]  # fmt: skip


def test_markdown_and_html_in_a_field_keep_their_structure(converted: Convert) -> None:
    found = converted(
        [
            {"doc": "a.md", "text": f"# Pumps\n\n{LONG}\n\n## Seals\n\n- one\n- two\n"},
            {"doc": "b", "text": f"<h2>Valves</h2><p>{LONG}</p><ul><li>three</li></ul>"},
        ]
    )
    assert [(k, level, t) for k, level, t in shown(found) if t != LONG.strip()] == [
        ("heading", 1, "a.md"),
        ("heading", 2, "Pumps"),
        ("heading", 3, "Seals"),
        ("list_item", 0, "one"),
        ("list_item", 0, "two"),
        ("heading", 1, "b"),
        ("heading", 3, "Valves"),
        ("list_item", 0, "three"),
    ]


def test_lines_longer_than_one_wraps_are_paragraphs(converted: Convert) -> None:
    found = converted([{"title": "T", "text": f"{LONG}\n{LONG}\nShort."}])
    assert [kind for kind, _, _ in shown(found)] == ["heading", *["paragraph"] * 3]


def test_any_other_shape_is_written_out_by_its_names(converted: Convert) -> None:
    found = converted(
        {
            "name": "Press 4",
            "limits": {"pressure": {"max": 250, "unit": "bar"}, "modes": ["slow", "fast"]},
            "manual": [{"chapter": "Start", "steps": ["Open.", "Close."]}],
            "off": None,
        }
    )
    assert found.title == "Press 4"
    assert shown(found) == [
        ("paragraph", 0, "name: Press 4"),
        ("heading", 1, "limits"),
        ("paragraph", 0, "modes: slow, fast"),
        ("heading", 2, "pressure"),
        ("paragraph", 0, "max: 250 | unit: bar"),
        ("table_row", 0, "chapter: Start | steps: Open., Close."),
    ]


def test_objects_by_key_are_rows(converted: Convert) -> None:
    found = converted({f"p{i}": {"cost": i, "site": "A"} for i in range(3)})
    assert rows(found)[2].columns == {"key": "p2", "cost": 2, "site": "A"}


def test_a_key_keeps_its_name_apart_from_a_field_of_that_name(converted: Convert) -> None:
    found = converted({f"p{i}": {"Key": f"k{i}", "cost": i} for i in range(3)})
    assert rows(found)[2].columns == {"record key": "p2", "Key": "k2", "cost": 2}


def test_lists_of_lists_are_a_table(converted: Convert) -> None:
    found = converted([["Part", "Cost"], ["Pump", 5], ["Hose", 6]])
    assert [b.columns for b in rows(found)] == [
        {"Part": "Pump", "Cost": 5},
        {"Part": "Hose", "Cost": 6},
    ]
    sentences = [["it leaks at the seal again", "bad"], ["it runs well since the repair", "good"]]
    assert rows(converted(sentences))[0].columns == {
        "column 1": "it leaks at the seal again", "column 2": "bad",
    }  # fmt: skip


def test_objects_that_hold_tables_are_not_pressed_into_a_row(converted: Convert) -> None:
    table = [["Item", "2023"], *[[f"Item number {i}", i] for i in range(40)]]
    found = converted([{"title": "Sales", "table": table}, {"title": "Costs", "table": table}])
    assert [t for kind, _, t in shown(found) if kind == "heading"] == ["Sales", "Costs"]
    assert rows(found)[3].columns == {"Item": "Item number 3", "2023": 3}


def test_bad_lines_are_said_and_the_good_ones_kept(converted: Convert) -> None:
    found = converted('{"a": 1}\n{"a": \n\n{"a": 3}\nnonsense\n', "a.jsonl")
    assert [(b.row, b.columns) for b in rows(found)] == [(1, {"a": 1}), (4, {"a": 3})]
    assert len(found.notices) == 1
    assert found.notices[0].startswith("not valid JSON, left out: lines 2, 5 (Expecting value")


def test_json_lines_are_known_without_their_suffix(converted: Convert) -> None:
    assert len(rows(converted('{"a": 1}\n{"a": 2}\n', "a.json"))) == 2


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ('{"a": [1, 2', "a.json", r"not valid JSON: .* at line 1, column 12"),
        ("a\nb\n", "a.jsonl", r"no line is valid JSON: "),
        (" \n", "a.json", r"empty"),
        ("[" + "9" * 5_000 + "]", "a.json", r"not valid JSON: Exceeds the limit"),
    ],
)
def test_what_is_not_json_is_refused_saying_where(
    converted: Convert, text: str, name: str, message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        converted(text, name)


def test_a_byte_order_mark_and_scalars(converted: Convert) -> None:
    assert converted('\ufeff"just text"').text == "just text"
    assert converted([1, "two", None, 3.5]).text == "1\ntwo\n3.5"
