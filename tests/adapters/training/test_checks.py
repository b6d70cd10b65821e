"""Rows that would harm are left out before training, each with a line for its user."""

from pathlib import Path

import pytest

from adapters.chat_markup import ChatMarkup
from adapters.errors import TrainingDataError
from adapters.training.checks import check_count, check_lengths, check_rows, without_leaks
from adapters.training.examples import Example, Message, TrainingData
from adapters.training.sameness import agree, normalised, question_keys
from adapters.training.split import split


def example(question: str, answer: str, line: int, context: tuple[str, ...] = ()) -> Example:
    return Example((Message("user", question), Message("assistant", answer)), line, context)


def data(*pairs: tuple[str, str], path: str = "data.jsonl") -> TrainingData:
    rows = tuple(example(q, a, line) for line, (q, a) in enumerate(pairs, 1))
    return TrainingData(path, rows)


def many(count: int) -> TrainingData:
    return data(*((f"Where is room {n}?", f"On floor {n}.") for n in range(count)))


def said(checked: TrainingData) -> list[str]:
    return [str(problem) for problem in checked.problems]


def test_what_asks_and_answers_the_same_is_kept_once() -> None:
    checked = check_rows(
        data(
            ("How long is probation?", "Six months."),
            ("HOW long is probation", "six  months"),
            ("How long is leave?", "Six months."),
        )
    )

    assert [row.line for row in checked.examples] == [1, 3]
    assert said(checked) == ["data.jsonl: line 2: asks and answers the same as line 1"]


def test_contradictions_are_left_out_with_all_rows_of_the_question() -> None:
    rows = data(
        ("What is the limit?", "5 days."),
        ("Who leads?", "Ann."),
        ("What is the limit?", "7 days."),
        ("What is the limit?", "5 days"),
    )
    checked = check_rows(rows)

    assert [row.line for row in checked.examples] == [2]
    assert said(checked) == [
        "data.jsonl: line 1: answer: contradicts line 3: same question, another answer",
        "data.jsonl: line 3: answer: contradicts line 1: same question, another answer",
        "data.jsonl: line 4: asks and answers the same as line 1",
    ]
    with pytest.raises(TrainingDataError, match="line 1: answer: contradicts line 3"):
        check_rows(rows, strict=True)


def test_wordings_of_one_answer_and_other_passages_are_no_contradiction() -> None:
    rows = (
        example("Who leads?", "Ann.", 1),
        example("Who leads?", "Ann leads.", 2),
        example("What was the cause?", "Ice.", 3, ("Ice was found.",)),
        example("What was the cause?", "Fuel.", 4, ("Fuel ran out.",)),
    )

    assert len(check_rows(TrainingData("data.jsonl", rows)).examples) == 4


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Two days", "2 days", True),
        ("It costs 1,000 dollars.", "1000 dollars", True),
        ("5 %", "5%", True),
        ("You may.", "You may not.", False),
        ("They do.", "They don't.", False),
        ("1.5 mm", "15 mm", False),
        ("-5 °C", "5 °C", False),
        ("C++", "C", False),
        ("12 weeks", "12 weeks of 5 days", False),
        ("Ask Ann.", "Ask Bob.", False),
    ],
)
def test_what_answers_agree(one: str, other: str, alike: bool) -> None:
    assert (agree(one, other) or normalised(one) == normalised(other)) is alike


def test_other_scripts_keep_their_words_apart() -> None:
    # Vowel signs are marks, not letters: dropping them would make these one word.
    assert normalised("कि") != normalised("की")
    assert normalised("???") == "???"


def test_nearly_the_same_question_has_one_key() -> None:
    asked = [
        "How long is the probation?",
        "how long is probation",
        "How long is the probation of managers?",
        "How long is not probation?",
        "Who is on probation 2?",
        "Who is on probation 3?",
    ]
    keys = question_keys([example(question, "x", n) for n, question in enumerate(asked)])

    assert keys[0] == keys[1]
    assert len(set(keys)) == 5


def test_a_question_over_other_passages_is_another_unless_asked_without() -> None:
    over = [example("What was the cause?", "x", n, (f"Report {n}.",)) for n in (1, 2)]

    assert len(set(question_keys(over))) == 2
    assert len(set(question_keys([*over, example("What was the cause?", "x", 3)]))) == 1


def test_what_is_trained_on_is_left_out_of_what_is_measured_on() -> None:
    train = data(("How long is probation?", "Six months."), path="train.jsonl")
    held_out = data(("How long's the probation?", "Six."), ("Who leads?", "Ann."), path="eval.csv")
    held_out = TrainingData(
        "eval.csv", (example("how long is the probation", "Six.", 1), held_out.examples[1])
    )

    checked = without_leaks(held_out, train)

    assert [row.line for row in checked.examples] == [2]
    assert said(checked) == [
        "eval.csv: line 1: question: is trained on too, in line 1 of train.jsonl"
    ]


def test_a_split_never_parts_one_question() -> None:
    rows = [(f"Where is room {n // 3}?", f"Floor {n}.") for n in range(300)]
    train, held_out = split(data(*rows), 0.1, seed=4)

    assert 25 <= len(held_out.examples) <= 30
    assert len(train.examples) + len(held_out.examples) == 300
    assert not {e.question for e in train.examples} & {e.question for e in held_out.examples}
    assert split(data(*rows), 0.1, seed=4) == (train, held_out)
    assert split(data(*rows), 0.1, seed=5) != (train, held_out)


def test_nothing_is_held_out_where_all_is_one_question() -> None:
    train, held_out = split(data(*[("Who leads?", "Ann.")] * 20), 0.1, seed=0)

    assert held_out.examples == ()
    assert train.warnings == ("nothing could be held out: all rows ask nearly the same",)
    assert split(many(20), 0.0, seed=0)[0].warnings == ()


def test_few_examples_are_warned_of_and_too_few_refused() -> None:
    advice = "41 examples: fine-tuning rarely pays under about 200; retrieval will serve better"

    assert check_count(many(41)).warnings == (advice,)
    assert check_count(many(200)).warnings == ()
    with pytest.raises(TrainingDataError, match=advice):
        check_count(many(41), strict=True)
    with pytest.raises(
        TrainingDataError, match=r"data\.jsonl: 7 examples: training needs at least 8"
    ):
        check_count(many(7))


def test_what_does_not_fit_the_window_is_left_out(small_model) -> None:
    markup = ChatMarkup(small_model("plain")[1])
    rows = data(("Who?", "Ann."), ("Who?", "x" * 200), ("y" * 200, "Ann."))

    checked = check_lengths(rows, markup, 128)

    assert [row.line for row in checked.examples] == [1]
    assert said(checked) == [
        "data.jsonl: line 2: answer: takes 200 tokens of the model's 128: shorten it",
        "data.jsonl: line 3: takes 224 tokens of the model's 128: shorten what is asked",
    ]
    with pytest.raises(TrainingDataError, match="line 2: answer: takes 200 tokens"):
        check_lengths(rows, markup, 128, strict=True)


def test_what_the_template_refuses_is_left_out(small_model, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((small_model("plain")[1] / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no system here') }}")

    checked = check_lengths(data(("Who?", "Ann.")), ChatMarkup(tmp_path), 128)

    assert said(checked) == [
        "data.jsonl: line 1: the model's chat template refuses: no system here"
    ]
