"""Answers as they are written by the real lab model, in loops of both kinds, and many at once."""

import asyncio
import threading
import time

import pytest

from adapters.errors import ExpertError
from agent.expert import AnswerStream, Expert, Failure, Question, Reply
from agent.workspace import Workspace

LEAVE = "How many days of annual leave do full-time staff earn?"
SICK = "Whom do I tell before ten in the morning?"


def said(reply: Reply | Failure) -> tuple[object, ...]:
    """Return what does not depend on what was read before: confidence does, in its last digits."""
    assert isinstance(reply, Reply)
    return reply.answer.text, reply.answer.citations, reply.answer.reason


@pytest.fixture
def expert(own_workspace: Workspace):
    with Expert(own_workspace, answerer="phi3") as opened:
        yield opened


def test_pieces_come_as_they_are_written_and_then_the_reply(expert: Expert) -> None:
    with expert.stream(LEAVE) as stream:
        pieces = list(stream)
    assert len(pieces) > 1
    assert list(stream) == []
    assert "".join(pieces).startswith((stream.reply.answer.text or "")[:7])
    assert said(stream.reply) == said(expert.ask(LEAVE))


def test_both_loops_and_many_at_once_give_what_one_question_gives(expert: Expert) -> None:
    async def asked() -> tuple[list[str], list[Reply], list[Reply | Failure]]:
        pieces = [piece async for piece in expert.stream(LEAVE)]
        at_once = await asyncio.gather(*(expert.ask_async(q) for q in (LEAVE, SICK, LEAVE)))
        many = [one async for one in expert.ask_many_async([LEAVE, Question(SICK)], block=1)]
        return pieces, at_once, many

    pieces, at_once, many = asyncio.run(asked())
    one, other = said(expert.ask(LEAVE)), said(expert.ask(SICK))
    assert pieces == list(expert.stream(LEAVE))
    assert [said(reply) for reply in at_once] == [one, other, one]
    assert [said(reply) for reply in many] == [one, other]


def test_leaving_early_stops_the_writing(expert: Expert) -> None:
    expert.ask(LEAVE)
    with expert.stream(LEAVE) as stream:
        next(stream)
    for _ in range(100):
        if not any(thread.name == "answer" for thread in threading.enumerate()):
            break
        time.sleep(0.05)
    assert not any(thread.name == "answer" for thread in threading.enumerate())
    assert expert.ask(LEAVE).answer.text is not None


def test_a_quote_is_one_piece_and_an_error_is_raised_where_it_is_read(
    own_workspace: Workspace,
) -> None:
    with Expert(own_workspace) as expert:
        stream = expert.stream(LEAVE)
        assert list(stream) == [stream.reply.answer.text]

    def fails(_: object) -> Reply:
        raise ExpertError("no such thing")

    with pytest.raises(ExpertError, match="no such thing"):
        next(AnswerStream(fails))
