"""Reading training data: what is an example, and every other row by its line and reason."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.errors import TrainingDataError
from adapters.training.examples import Message
from adapters.training.read import read_examples

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*rows: object, name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


GOOD = {"question": "How long is probation?", "answer": "Six months."}


def test_both_forms_of_a_row_are_read(write: Write) -> None:
    path = write(
        {**GOOD, "context": "A passage.", "domain": "hr", "source_documents": ["a.md", "b.md"]},
        "",
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Who leads?"},
                {"role": "assistant", "content": " Ann. "},
            ],
            "system": "Be brief.",
        },
    )

    data = read_examples(path)

    first, second = data.examples
    assert (first.line, first.question, first.answer) == (1, GOOD["question"], GOOD["answer"])
    assert first.context == ("A passage.",)
    assert first.sources == ("a.md", "b.md")
    assert first.domain == "hr"
    assert first.has_one_question
    assert second.line == 3
    assert second.messages[0] == Message("system", "Be brief.")
    assert second.messages[-1] == Message("assistant", "Ann.")
    assert not second.has_one_question
    assert data.problems == ()
    assert data.warnings == (
        f"{path}: 1 rows have a system prompt of their own: the adapter must be asked with the same",
    )
    assert data.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_question_is_on_one_line_as_it_is_asked(write: Write) -> None:
    data = read_examples(write({"question": " Who\n leads? ", "answer": "One.\n\nTwo."}))

    assert data.examples[0].question == "Who leads?"
    assert data.examples[0].answer == "One.\n\nTwo."


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nope", "not JSON: expecting value"),
        ("[" * 100_000, "not JSON: nested too deeply or a number too long"),
        ("[1]", "not a JSON object"),
        ({"question": "", "answer": "x"}, "question: is empty"),
        ({"question": "x", "answer": " \n"}, "answer: is empty"),
        (
            {"question": "x"},
            "answer: is missing: a row has question and answer, or messages",
        ),
        ({"question": 7, "answer": "x"}, "question: input should be a valid string"),
        ({**GOOD, "context": 3}, "context: input should be a valid list"),
        (
            {**GOOD, "messages": []},
            "messages: a row has question and answer, or messages, not both",
        ),
        (
            {"messages": [{"role": "user", "content": "x"}]},
            "messages: must go user, assistant, … and end with assistant; system stands first",
        ),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "messages.0.role: input should be 'system', 'user' or 'assistant'",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": " "},
                    {"role": "assistant", "content": "x"},
                ]
            },
            "messages.0.content: is empty",
        ),
        ('{"question": "\\ud800", "answer": "x"}', "messages: holds half a character"),
    ],
)
def test_a_bad_row_is_left_out_and_said_with_its_line(write: Write, row: object, said: str) -> None:
    path = write(GOOD, row)

    data = read_examples(path)

    assert len(data.examples) == 1
    assert str(data.problems[0]).startswith(f"{path}: line 2: {said}")
    with pytest.raises(TrainingDataError, match=r"data\.jsonl: line 2: "):
        read_examples(path, strict=True)


def test_an_unknown_field_is_said_once_with_the_nearest_known(write: Write) -> None:
    path = write({**GOOD, "contex": "x", "id": 1}, {"question": "b", "answer": "c", "contex": "y"})

    assert read_examples(path).warnings == (
        f'{path}: line 1: the field "contex" is not read; did you mean "context"?',
        f'{path}: line 1: the field "id" is not read',
    )


def test_a_text_may_hold_other_separators_of_lines(write: Write) -> None:
    data = read_examples(write('{"question": "a\u2028b", "answer": "c\u0085d"}', GOOD))

    assert [example.line for example in data.examples] == [1, 2]


def test_csv_has_the_same_fields_as_columns(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        '\ufeffquestion;answer;source_documents\n"Who leads;\nand why?";"Ann, she\nasked.";"a.md; b.md"\n',
        encoding="utf-8",
    )
    data = read_examples(path)
    assert data.problems == ()
    assert data.examples[0].sources == ("a.md", "b.md")
    assert data.examples[0].question == "Who leads; and why?"
    assert data.examples[0].answer == "Ann, she\nasked."


def test_bad_rows_of_csv_are_said_by_the_line_they_begin_on(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "question,answer,source_documents\n"
        '"Two\nlines?",Yes.,a.md;b.md\n'
        "One,two,three,four\n"
        ",No question.,\n"
        '"Never closed,x,y\n',
        encoding="utf-8",
    )
    data = read_examples(path)

    assert data.examples[0].sources == ("a.md", "b.md")
    assert [str(problem) for problem in data.problems] == [
        f"{path}: line 4: 4 fields, but the first line names 3",
        f"{path}: line 5: question: is missing: a row has question and answer, or messages",
        f"{path}: line 6: not CSV: unexpected end of data",
    ]


def test_a_csv_without_the_columns_says_which(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("Frage,answer\nWer?,Ann.\n", encoding="utf-8")

    with pytest.raises(TrainingDataError, match="line 1: question: no column of this name"):
        read_examples(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("data.xlsx", b"x", "training data is a .jsonl or .csv file"),
        ("data.jsonl", b"ok\n\xff\xfe", "line 2: not UTF-8: save the file as UTF-8"),
        ("data.jsonl", b"", "holds no example"),
        ("data.json", b'[{"question": "a"}]', "is one JSON list: write one object a line"),
        ("data.jsonl", b'{"question": "a"}', "holds no example: line 1: answer: is missing"),
    ],
)
def test_a_file_that_holds_nothing_says_why(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(TrainingDataError, match=said):
        read_examples(tmp_path / name)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"gone\.jsonl: no such file or directory"):
        read_examples(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("industry", ["hr", "health"])
def test_the_examples_can_be_trained_on(industry: str) -> None:
    from adapters.training.checks import check_rows

    folder = Path(__file__).parents[3] / "examples" / industry
    data = check_rows(read_examples(folder / "training.jsonl"))

    assert len(data.examples) >= 150
    assert data.problems == ()
    assert data.warnings == ()
    assert max(len(example.answer.split()) for example in data.examples) <= 30
    sources = {name for example in data.examples for name in example.sources}
    assert [name for name in sources if not (folder / "documents" / name).is_file()] == []


@pytest.mark.parametrize("industry", ["hr", "maintenance", "health"])
def test_the_know_how_of_the_examples_can_be_learned_and_measured(industry: str) -> None:
    from adapters.training.checks import check_count, check_rows, without_leaks
    from adapters.training.sameness import question_keys

    folder = Path(__file__).parents[3] / "examples" / industry
    train = check_count(check_rows(read_examples(folder / "know_how.jsonl")))
    paraphrased = check_rows(read_examples(folder / "know_how_paraphrased.jsonl"))

    for data in (train, without_leaks(paraphrased, train)):
        assert data.problems == ()
        assert data.warnings == ()
    asked = [*train.examples, *paraphrased.examples]
    assert len(set(question_keys(asked))) == len(asked)
    assert all(5 <= len(example.question.split()) <= 14 for example in asked)
    assert all(2 <= len(example.answer.split()) <= 14 for example in asked)
    assert {example.domain for example in asked} == {industry}


@pytest.mark.parametrize("industry", ["hr", "maintenance", "health"])
def test_each_fact_of_the_know_how_is_asked_in_words_of_both_files(industry: str) -> None:
    folder = Path(__file__).parents[3] / "examples" / industry
    train = read_examples(folder / "know_how.jsonl").examples
    paraphrased = read_examples(folder / "know_how_paraphrased.jsonl").examples
    table = (folder / "know_how_sources.md").read_text(encoding="utf-8").splitlines()
    facts = [line.split(" | ") for line in table if line.endswith(" |")][1:]

    assert len(facts) >= 80
    assert Counter(e.answer for e in train) == Counter(e.answer for e in paraphrased)
    assert len(train) == len(paraphrased) == 2 * len(facts)
    named = {fact.removeprefix("| ") for fact, _ in facts}
    assert named <= {f"{e.question} {e.answer}" for e in train}
    assert all(source.strip("| ") for _, source in facts)
