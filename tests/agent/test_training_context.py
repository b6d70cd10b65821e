"""Examples over passages: the one that answers among others, numbered as when asked."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from adapters.training.examples import Example, Message, TrainingData
from agent.assemble import open_pipeline
from agent.training_context import REFUSES, Mixture, ground, searcher
from agent.workspace import Workspace
from pipelines.citations import resolve
from pipelines.evidence import Evidence
from pipelines.phi3 import SYSTEM, prompt

ROOMS = ("north", "south", "east", "west", "upper", "lower")


def passage(text: str, document: str = "") -> Evidence:
    return Evidence(document, text[:20], None, "", 0, len(text), None, text, 1.0)


def example(question: str, answer: str, line: int = 1, **more: Sequence[str]) -> Example:
    messages = (Message("user", question), Message("assistant", answer))
    return replace(Example(messages, line), **{name: tuple(v) for name, v in more.items()})


def data(*examples: Example) -> TrainingData:
    return TrainingData("data.jsonl", examples)


def index(question: str) -> list[Evidence]:
    """Find the passages that share most words with a question."""
    passages = [
        passage(f"The {room} store keeps its spare keys in drawer {n}0.", f"{room}.md")
        for n, room in enumerate(ROOMS, 1)
    ]
    asked = set(re.findall(r"\w+", question))
    return sorted(passages, key=lambda p: -len(asked & set(re.findall(r"\w+", p.text))))


def rooms(count: int = len(ROOMS)) -> TrainingData:
    return data(
        *(
            example(f"Where are the {room} store's keys?", f"Spare keys are in drawer {n}0.", n)
            for n, room in enumerate(ROOMS[:count], 1)
        )
    )


def sources(made: Example) -> list[str]:
    asked = made.messages[1].content.rpartition("\n\nQuestion: ")[0]
    return [re.sub(r"^\[\d+\] ", "", line) for line in asked.split("\n")]


def test_the_refusal_is_the_one_that_the_prompt_asks_for() -> None:
    assert SYSTEM.endswith(f"reply: {REFUSES}")


def test_the_passage_that_answers_is_marked_among_others() -> None:
    made = ground(rooms(), index, Mixture(gold_share=1.0))

    assert (made.with_gold, made.without_gold, made.closed_book) == (6, 0, 0)
    for number, grounded in enumerate(made.data.examples, 1):
        system, user, assistant = grounded.messages
        texts = sources(grounded)
        (mark,) = re.findall(r"\[(\d)\]$", assistant.content)
        assert assistant.content == f"Spare keys are in drawer {number}0. [{mark}]"
        assert f"drawer {number}0" in texts[int(mark) - 1]
        assert len(texts) == len(set(texts)) == 4
        assert grounded.sources == (f"{ROOMS[number - 1]}.md",)
        # To the letter what is asked later, and its mark is found again.
        shown = [passage(text) for text in texts]
        question = rooms().examples[number - 1].question
        asked = prompt(question, shown)
        assert [m.text for m in asked] == [system.content, user.content]
        assert resolve(assistant.content, shown).citations[0].quote == texts[int(mark) - 1]


def test_a_share_of_examples_lacks_its_passage_and_learns_to_say_so() -> None:
    made = ground(rooms(), index, Mixture(gold_share=0.5))

    assert (made.with_gold, made.without_gold, made.closed_book) == (3, 3, 0)
    for number, grounded in enumerate(made.data.examples, 1):
        held = any(f"drawer {number}0" in text for text in sources(grounded))
        assert held is (grounded.answer != REFUSES)


def test_the_seed_alone_decides() -> None:
    first = ground(rooms(), index, Mixture(seed=1))

    assert ground(rooms(), index, Mixture(seed=1)) == first
    assert ground(rooms(), index, Mixture(seed=2)) != first
    orders = {
        tuple(sources(ground(rooms(1), index, Mixture(gold_share=1.0, seed=seed)).data.examples[0]))
        for seed in range(20)
    }
    assert len(orders) > 5


def test_there_are_no_more_passages_than_there_is_room_for() -> None:
    one = ground(rooms(1), index, Mixture(gold_share=1.0, characters=120)).data.examples[0]
    few = ground(rooms(1), index, Mixture(gold_share=1.0, distractors=1)).data.examples[0]
    none = ground(rooms(1), index, Mixture(gold_share=1.0, characters=10)).data.examples[0]

    assert len(sources(one)) == len(sources(few)) == 2
    assert "drawer 10" in sources(none)[0]
    assert len(sources(none)) == 1


def test_what_no_passage_answers_stays_closed_book() -> None:
    rows = data(
        example("Where are the north store's keys?", "They hang behind the porter's desk.", 1),
        example("Are there spare keys?", "Yes.", 2),
        example("Who keeps the keys in drawer 10?", "Nobody.", 3),
        replace(
            rooms(1).examples[0],
            messages=(Message("user", "Hi"), Message("assistant", "Hello."), *rooms(1).examples[0].messages),
            line=4,
        ),
    )  # fmt: skip
    made = ground(rows, index)

    assert made.data == rows
    assert (made.with_gold, made.without_gold, made.closed_book) == (0, 0, 4)


def test_the_answer_must_stand_in_a_document_that_the_row_names() -> None:
    named = replace(rooms(1).examples[0], sources=("south.md",))

    assert ground(data(named), index).closed_book == 1


def test_a_passage_that_answers_too_is_no_distractor() -> None:
    def search(question: str) -> list[Evidence]:
        return [*index(question), passage("North: the spare keys are in drawer 10.", "copy.md")]

    made = ground(rooms(1), search, Mixture(gold_share=0.0)).data.examples[0]

    assert made.answer == REFUSES
    assert not any("drawer 10" in text for text in sources(made))


def test_the_answer_finds_what_the_question_does_not() -> None:
    def search(question: str) -> list[Evidence]:
        return [p for p in index(question) if "drawer 10" in question or "10" not in p.text]

    made = ground(rooms(1), search, Mixture(gold_share=1.0))

    assert made.with_gold == 1


def test_rows_bring_passages_of_their_own() -> None:
    rows = data(
        example("Who leads B?", "Ann.", 1, context=["Bo leads A.", "Ann leads B."]),
        example("Who leads C?", "not in the sources", 2, context=["Bo leads A."]),
        example("Who leads A?", "Bo [1].", 3, context=["Bo leads A.", "Bo left."]),
        example("Who leads D?", "Cy.", 4),
    )
    made = ground(rows)
    first, second, third, fourth = made.data.examples

    assert sources(first) == ["Bo leads A.", "Ann leads B."]
    assert first.answer == "Ann. [2]"
    assert second.answer == REFUSES
    assert third.answer == "Bo [1]."
    assert fourth == rows.examples[3]
    assert (made.with_gold, made.without_gold, made.closed_book) == (2, 1, 1)

    searched = ground(rows, index, Mixture(gold_share=1.0)).data.examples
    assert any("keys" in text for text in sources(searched[0]))
    assert "Ann leads B." in sources(searched[0])
    assert re.fullmatch(r"Ann\. \[\d\]", searched[0].answer)
    assert re.fullmatch(r"Bo\. \[\d\]", searched[2].answer)
    assert searched[1].answer == REFUSES


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_passages_come_from_the_index(workspace: Workspace, share: float) -> None:
    rows = data(
        example("How much leave do I earn a year?", "25 days of annual leave.", 1),
        example("Where do visitors park?", "Behind the north gate.", 2),
    )
    with open_pipeline(workspace) as pipeline:
        made = ground(rows, searcher(pipeline), Mixture(gold_share=share))

    assert made.closed_book == 0
    assert made.with_gold == (2 if share else 0)
    if share:
        first, second = made.data.examples
        assert first.sources == ("hr/leave.md",)
        assert second.sources == ("parking.txt",)
        # What a passage stands under is shown with it, as when a question is asked.
        assert any(text.startswith("Leave") and "25 days" in text for text in sources(first))
