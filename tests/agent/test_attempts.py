"""What is told while a question is answered by several routes, or part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from agent.asked import AskedPart
from agent.attempts import Attempts
from agent.chain import Chain
from agent.planning import Plan, Question
from agent.reply import Answered
from agent.ways import OnText, Way, withheld
from pipelines.answer import NOT_IN_SOURCES, Answer, Citation
from pipelines.evidence import Evidence
from pipelines.search import Found

CITED = Citation("diary.md", None, None, 0, 7, "Kestrel", 1.0)
QUOTED = Answer("The foreman closes it.", 0.8)
WRITTEN = Answer("You get 25 days.", 0.9, answerer="phi3")
WITHHELD = Answer(None, 0.0, reason=NOT_IN_SOURCES, answerer="phi3")
PIECES = ["You ", "get ", "25 days."]
NONSENSE = ["Nonsense ", "reply."]


class Ways:
    """Gives each question's answer on each route, in place of a workspace with models.

    :param meant: By what is written, questions with their slips mended.
    :param answers: By route, or by a question's first word; what a model writes is told first.
    """

    has_documents = True

    def __init__(self, meant: Mapping[str, str] | None = None, **answers: Answer) -> None:
        self._meant, self._answers = meant or {}, answers
        self.planned: list[str] = []
        self.elsewhere: Plan | None = None

    def mended(self, searched: str, *, is_answered: bool) -> str | None:
        return self._meant.get(searched)

    def take(
        self, route: str, adapter: str | None, searched: str, on_text: OnText | None
    ) -> Answered:
        answer = self._answers.get(searched.split()[0]) or self._answers[route]
        if on_text is not None and answer.answerer == "phi3":
            for piece in PIECES if answer.text else NONSENSE:
                on_text(piece)
        evidence = [Evidence("diary.md", "1", None, "", 0, 7, None, "Kestrel", 1.0, ())]
        return Answered(route, answer, adapter, Found([], evidence))

    def way(self, route: str, adapter: str | None) -> Way:
        return Way(route, withheld)

    def work(self, searched: str, on_text: OnText | None) -> None:
        """There is no agent."""

    def knows_what_was_taught(self, adapter: str) -> bool:
        return True

    def plan(self, questions: Sequence[Question]) -> list[Plan]:
        self.planned += [one.text for one in questions]
        return [self.elsewhere or replace(PLAN, searched=one.text) for one in questions]


PLAN = Plan("q?", "q?", "hybrid", "hr@1", None, 0.0)


def told(ways: Ways, plan: Plan) -> tuple[list[str], str | None]:
    pieces: list[str] = []
    attempts = Attempts(ways, ways)  # type: ignore[arg-type]
    tried = attempts.answer(plan, pieces.append)
    assert attempts.answer(plan).done.answer == tried.done.answer
    return [piece for piece in pieces if piece], tried.done.answer.text


def test_what_a_model_writes_is_told_once() -> None:
    assert told(Ways(hybrid=WRITTEN), PLAN) == (PIECES, WRITTEN.text)


def test_what_is_quoted_is_left_to_the_stream() -> None:
    assert told(Ways(hybrid=QUOTED), PLAN) == ([], QUOTED.text)


@pytest.mark.parametrize(
    ("other", "pieces"),
    [
        (QUOTED, ["\nThe foreman closes it."]),
        (WRITTEN, ["\nYou ", "get ", "25 days."]),
        (WITHHELD, ["\nNonsense ", "reply."]),
    ],
)
def test_the_next_route_begins_a_new_line(other: Answer, pieces: list[str]) -> None:
    plan = replace(PLAN, otherwise=("retrieval", None))
    found = told(Ways(hybrid=WITHHELD, retrieval=other), plan)
    assert found == ([*NONSENSE, *pieces], other.text)


def test_an_adapter_that_is_asked_last_is_told_where_something_else_was() -> None:
    plan = replace(PLAN, otherwise=("expert", "hr@1"))
    pieces, _ = told(Ways(hybrid=WITHHELD, expert=WRITTEN), plan)
    assert pieces == [*NONSENSE, "\nYou get 25 days."]


def test_what_steps_find_is_told_behind_the_answer_at_once() -> None:
    steps = Chain("Which glider landed?", "When was \N{REPLACEMENT CHARACTER} built?")
    unsure = replace(WRITTEN, confidence=0.3)
    found = replace(QUOTED, text="In May.", citations=(CITED,))
    ways = Ways(hybrid=unsure, Which=replace(QUOTED, text="Kestrel"), When=found)
    pieces, text = told(ways, replace(PLAN, steps=steps))
    assert (pieces, text) == ([*PIECES, "\nKestrel In May. [1]"], "Kestrel In May. [1]")
    ways = Ways(hybrid=unsure, Which=QUOTED, When=WITHHELD)
    assert told(ways, replace(PLAN, steps=steps)) == (PIECES, unsure.text)


def test_every_part_is_told_on_a_line_of_its_own() -> None:
    parts = (AskedPart("", "Who closes it"), AskedPart("", "How many days do I get?"))
    ways = Ways(Who=QUOTED, How=WRITTEN)
    pieces, text = told(ways, replace(PLAN, parts=parts))
    assert pieces == ["The foreman closes it.", "\nYou ", "get ", "25 days."]
    assert text == "The foreman closes it. You get 25 days."
    pieces, _ = told(ways, replace(PLAN, parts=parts[::-1]))
    assert pieces == [*PIECES, "\nThe foreman closes it."]


def test_a_part_that_is_withheld_and_looked_up_is_told_as_it_is_given() -> None:
    parts = (AskedPart("I am new. ", "Who closes it"), AskedPart("I am new. ", "How many?"))
    ways = Ways(I=WITHHELD, Who=QUOTED, How=replace(QUOTED, text="Five."))
    pieces, text = told(ways, replace(PLAN, parts=parts))
    assert "".join(pieces) == "Nonsense reply.\nThe foreman closes it.\nNonsense reply.\nFive."
    assert text == "The foreman closes it. Five."


def test_a_part_that_points_back_is_completed_from_the_first() -> None:
    parts = (
        AskedPart("", "Which form do I need for travel"),
        AskedPart("", "where do I send it?"),
        AskedPart("", "what does the last conveyor belt cost?"),
    )
    ways = Ways(hybrid=QUOTED, retrieval=QUOTED)
    told(ways, replace(PLAN, parts=parts))
    assert ways.planned[:3] == [
        "Which form do I need for travel",
        "where do I send it? (form travel)",
        "what does the last conveyor belt cost?",
    ]


def test_what_has_no_answer_is_read_again_with_its_slips_mended() -> None:
    slips = replace(PLAN, searched="Whoo closes it?")
    ways = Ways({"Whoo closes it?": "Who closes it?"}, hybrid=WITHHELD, Who=QUOTED)
    pieces, text = told(ways, slips)
    assert (pieces, text) == ([*NONSENSE, "\nThe foreman closes it."], QUOTED.text)
    tried = Attempts(ways, ways).answer(slips)  # type: ignore[arg-type]
    assert (tried.read_as, len(tried.taken)) == ("Who closes it?", 2)


def test_of_a_quote_and_one_without_slips_the_surer_is_given() -> None:
    slips = replace(PLAN, searched="Whoo closes it?")
    meant = {"Whoo closes it?": "Who closes it?"}
    unsure = replace(QUOTED, text="The hatch is closed.", confidence=QUOTED.confidence - 0.1)
    for written, mended, read_as in ((unsure, QUOTED, "Who closes it?"), (QUOTED, unsure, None)):
        ways = Ways(meant, hybrid=written, Who=mended)
        tried = Attempts(ways, ways).answer(slips)  # type: ignore[arg-type]
        assert (tried.read_as, tried.done.answer, len(tried.taken)) == (read_as, QUOTED, 2)
    # What another way is sure of does not compare with a quote.
    ways = Ways(meant, hybrid=unsure, Who=QUOTED)
    ways.elsewhere = replace(slips, searched="Who closes it?", adapter="press@1")
    tried = Attempts(ways, ways).answer(slips)  # type: ignore[arg-type]
    assert (tried.read_as, tried.done.answer) == (None, unsure)
    # The router would be opened for it alone.
    ways = Ways(meant, hybrid=unsure, Who=QUOTED)
    tried = Attempts(ways, ways).answer(replace(slips, is_told=True))  # type: ignore[arg-type]
    assert (tried.done.answer, ways.planned) == (unsure, [])
    # A model has read over the slip.
    ways = Ways(meant, hybrid=WRITTEN, Who=QUOTED)
    assert told(ways, slips) == (PIECES, WRITTEN.text)
    assert ways.planned == []


def test_a_question_that_mending_does_not_help_is_left_as_it_is_written() -> None:
    ways = Ways({"q?": "Who closes it?"}, hybrid=WITHHELD, Who=WITHHELD)
    tried = Attempts(ways, ways).answer(PLAN)  # type: ignore[arg-type]
    assert (tried.read_as, tried.done.answer, len(tried.taken)) == (None, WITHHELD, 2)
    assert told(ways, PLAN) == (NONSENSE, None)


def test_what_mending_makes_foreign_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = Ways({"q?": "Who closes it?"}, hybrid=WITHHELD, Who=QUOTED, abstain=QUOTED)
    foreign = replace(PLAN, searched="Who closes it?", route="abstain")
    monkeypatch.setattr(ways, "plan", lambda questions: [foreign])
    tried = Attempts(ways, ways).answer(PLAN)  # type: ignore[arg-type]
    assert (tried.read_as, tried.done.answer, len(tried.taken)) == (None, WITHHELD, 1)


def test_a_part_that_has_no_answer_is_read_again_with_the_others() -> None:
    parts = (AskedPart("", "Who closes it"), AskedPart("", "Hwo many days do I get?"))
    plan = replace(PLAN, searched="Who and hwo?", parts=parts)
    meant = {"Who and hwo?": "Both at once?"}
    ways = Ways(meant, Who=QUOTED, Hwo=WITHHELD, retrieval=WITHHELD, Both=WRITTEN)
    tried = Attempts(ways, ways).answer(plan)  # type: ignore[arg-type]
    assert (tried.read_as, tried.done.answer) == ("Both at once?", WRITTEN)
