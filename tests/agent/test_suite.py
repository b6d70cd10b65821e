import json
from pathlib import Path

import pytest

from agent.errors import SuiteError
from agent.follow_up import Turn
from agent.history import turns
from agent.suite import SuiteQuestion, is_gold, read_suite


def test_good_lines_are_kept_and_bad_ones_named(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text(
        '\ufeff{"id": "a", "question": "How long?", "accepted": ["6 months"], "kind": "lookup"}\n'
        "\n"
        "{broken\n"
        '{"question": ""}\n'
        '{"question": "Why?", "accepted": "x"}\n'
        '{"question": "Who?"}\n',
        encoding="utf-8",
    )
    suite = read_suite(path)
    assert [(q.id, q.question, q.accepted) for q in suite.questions] == [
        ("a", "How long?", ("6 months",)),
        ("6", "Who?", ()),
    ]
    assert [line for line, _ in suite.errors] == [3, 4, 5]
    assert suite.errors[0][1].startswith("not JSON")
    assert suite.errors[1][1].startswith("question:")
    assert suite.errors[2][1].startswith("accepted:")


def test_a_line_of_another_encoding_loses_no_other(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_bytes(b'{"question": "Who?"}\n{"question": "Caf\xe9?"}\n{"question": "Why?"}\n')
    suite = read_suite(path)
    assert [one.id for one in suite.questions] == ["1", "3"]
    assert suite.errors == [(2, "not UTF-8")]


def test_null_is_not_given_and_an_id_may_be_a_number(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    fields = ("kind", "accepted", "gold_files", "history", "accepted_all", "route", "note")
    line = {"id": 0, "question": "Why?", "answer": "So.", **dict.fromkeys(fields)}
    path.write_text(json.dumps(line))
    suite = read_suite(path)
    assert suite.errors == []
    (one,) = suite.questions
    assert (one.id, one.kind, one.accepted, one.history) == ("0", "", (), ())
    # As where "accepted" is left out: the answer says what is right.
    assert one.has_answer
    assert one.model_extra == {"note": None}


@pytest.mark.parametrize(
    ("document", "is_it"),
    [
        ("leave.md", True),
        ("hr/leave.md", True),
        ("hr/sick-leave.md", False),
        ("leave.md/more.md", False),
    ],
)
def test_a_document_is_meant_by_its_whole_name(document: str, is_it: bool) -> None:
    assert is_gold(document, ["other.md", "leave.md"]) is is_it
    assert is_gold(document, ["/leave.md"]) is is_it
    assert not is_gold(document, [])


def test_words_that_every_answer_holds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    lines = [{"question": "Why?", "accepted": [words]} for words in ("", "“”", "5 %")]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    suite = read_suite(path)
    assert [one.accepted for one in suite.questions] == [("5 %",)]
    assert [line for line, _ in suite.errors] == [1, 2]


def test_lines_end_where_json_lines_do(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_bytes('{"question": "One\u2028two\u0085three?"}\r\n{"question": "Four?"}'.encode())
    suite = read_suite(path)
    assert [one.id for one in suite.questions] == ["1", "2"]
    assert suite.errors == []


def test_a_number_that_is_too_long_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text(f'{{"question": "Why?", "n": {"1" * 5000}}}\n{{"question": "Who?"}}')
    suite = read_suite(path)
    assert suite.errors == [(1, "not JSON: a number is too long")]
    assert len(suite.questions) == 1


@pytest.mark.parametrize(
    ("line", "has_answer"),
    [
        ({"accepted": ["x"]}, True),
        ({"accepted": [], "accepted_all": ["x", "y"]}, True),
        ({"answer": "x"}, True),
        ({"answer": " "}, False),
        ({}, False),
        # Nothing is right, and the answer says why.
        ({"accepted": [], "answer": "It is not said."}, False),
        ({"accepted": ["x"], "route": "abstain"}, False),
    ],
)
def test_what_is_to_be_answered(line: dict, has_answer: bool, tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text(json.dumps({"question": "Why?", **line}))
    (question,) = read_suite(path).questions
    assert question.has_answer is has_answer


def test_what_can_be_judged() -> None:
    assert SuiteQuestion(question="?", accepted=("a",)).is_judged
    assert SuiteQuestion(question="?").is_judged
    assert not SuiteQuestion(question="?", answer="Six months.").is_judged


def test_a_conversation_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_text('{"question": "And then?", "history": [{"question": "Why?", "answer": "So."}]}')
    (question,) = read_suite(path).questions
    assert turns(question.history) == (Turn("Why?", "Why?", "So."),)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "holds no question"), (b"[1]\n", "line 1"), (b"\xff\xfe\x00", "not UTF-8")],
)
def test_a_file_without_questions_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "suite.jsonl"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=said):
        read_suite(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"none\.jsonl: No such file"):
        read_suite(tmp_path / "none.jsonl")
