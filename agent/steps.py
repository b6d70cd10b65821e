"""Questions that one look into the documents cannot answer: answered step by step.

A comparison asks for each thing's amount and compares them; a chain first finds the thing that
the question describes. A question that asks for several things is :mod:`agent.asked`'s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.chain import Chain, chained
from agent.compare import Comparison, compared
from agent.parts import put_together
from agent.reply import Answered
from pipelines.answer import Answer, around

Ask = Callable[[str], Answered]
"""Answers one step's question from the documents."""

ONE_SIDE = "the documents found do not say this of both"
NO_GREATER = "what the documents say of both does not tell which it is"
OTHER_THING = "the documents found do not say this of the one that is meant"
NOT_NAMED = "the documents found do not say which one is meant"


def taken_apart(question: str) -> Comparison | Chain | None:
    """Return the steps that a question takes; None where it needs one only."""
    return compared(question) or chained(question)


def in_steps(steps: Comparison | Chain, ask: Ask) -> tuple[list[Answered], Answered]:
    """Return what came of each step, and the answer that they make together.

    :param steps: Of :func:`taken_apart`.
    :param ask: Asked each step's question, in turn.
    """
    each = _by_amounts(steps, ask) if isinstance(steps, Comparison) else _by_name(steps, ask)
    questions, told, conclusion, reason = each
    if reason is not None:
        done = replace(told[-1], answer=_withheld(told[-1].answer, reason))
    else:
        done = put_together(questions, told, conclusion)
    written = [_step(question, one) for question, one in zip(questions, told, strict=True)]
    trace = {"steps": written, "conclusion": conclusion}
    return told, replace(done, answer=replace(done.answer, written=trace))


def says_of_both(steps: Comparison, whole: Answered) -> bool:
    """Whether an answer to the whole question compares the two things.

    It is about both, and states two amounts, or says of one that it is more "than" another.
    """
    told = whole.answer.text or ""
    text = "\n".join([told, *_places(whole)])
    return (steps.compares(told) or " than " in told) and all(
        steps.is_about(which, text) for which in (0, 1)
    )


_Steps = tuple[Sequence[str], list[Answered], str | None, str | None]


def _by_amounts(steps: Comparison, ask: Ask) -> _Steps:
    told, amounts = [], []
    for which, question in enumerate(steps.questions):
        told.append(ask(question))
        answer = told[-1].answer
        about = "\n".join([answer.text or "", *_places(told[-1])])
        amount = steps.amount(said(answer), answer.text or "")
        if answer.text is None or amount is None or not steps.is_about(which, about):
            return steps.questions[: which + 1], told, None, ONE_SIDE
        amounts.append(amount)
    conclusion = steps.concluded(amounts[0], amounts[1])
    return steps.questions, told, conclusion, None if conclusion else NO_GREATER


def _by_name(steps: Chain, ask: Ask) -> _Steps:
    first = ask(steps.first)
    # A sentence about a table that sets nothing off tells of several things.
    names = bool(first.answer.highlights) or first.answer.answerer != "table"
    name = steps.name_in(said(first.answer)) if names else None
    if name is None:
        return (steps.first,), [first], None, NOT_NAMED
    then = steps.naming(name)
    second = ask(then)
    questions, told = (steps.first, then), [first, second]
    reason, places = second.answer.reason, _places(second)
    if reason is None and not (places and all(steps.is_about(name, place) for place in places)):
        reason = OTHER_THING
    return questions, told, None, reason


def said(answer: Answer) -> str:
    """Return the words of an answer that are the very answer; all where none are set off."""
    if not answer.highlights or answer.text is None:
        return answer.text or ""
    start, end = answer.highlights[0]
    return answer.text[start:end]


def _places(answered: Answered) -> list[str]:
    """Return what stands around the places that an answer cites, and above them."""
    return [
        f"{piece.context}\n{piece.text}"
        for citation in answered.answer.citations
        for piece in around(citation, answered.found.evidence)
    ]


def _withheld(last: Answer, reason: str) -> Answer:
    near = last.citations[0] if last.citations else last.nearest
    return Answer(None, last.confidence, reason=reason, nearest=near, answerer=last.answerer)


def _step(question: str, answered: Answered) -> Mapping[str, Any]:
    """Return a step as a trace keeps it."""
    return {
        "tool": "search_documents",
        "arguments": {"query": question},
        "result": answered.answer.text or answered.answer.reason,
    }
