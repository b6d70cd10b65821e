"""Answers as they are written by the real lab model, in loops of both kinds, and many at once."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from adapters.errors import ExpertError
from agent.errors import StreamError
from agent.expert import AnswerStream, Expert, Failure, Question, Reply
from agent.workspace import Workspace
from pipelines.answer import Answer
from tests.agent.conftest import WordAnswerer

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


def written(pieces: int, wait: threading.Event | None = None) -> AnswerStream:
    def ask(tell: Callable[[str], None]) -> Reply:
        for number in range(pieces):
            if wait is not None:
                wait.wait()
            tell(f"{number} ")
        return Reply("q", "q", Answer("all", 1.0), "retrieval", None, (), (), {})

    return AnswerStream(ask)


def test_a_reply_after_closing_is_an_error_that_says_so() -> None:
    go_on = threading.Event()
    with written(2, go_on) as stream:
        pass
    go_on.set()
    with pytest.raises(StreamError, match="was closed"):
        _ = stream.reply


def test_a_piece_that_was_not_waited_for_is_the_next_one() -> None:
    go_on = threading.Event()

    async def pieces() -> list[str]:
        stream = written(3, go_on)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
        go_on.set()
        return [piece async for piece in stream]

    assert asyncio.run(pieces()) == ["0 ", "1 ", "2 "]


@pytest.mark.parametrize("at_exit", [False, True], ids=["cancelled", "left at the end"])
def test_many_that_are_cancelled_are_closed(
    own_workspace: Workspace, word_answerer: WordAnswerer, at_exit: bool
) -> None:
    word_answerer.before = lambda: time.sleep(0.02)
    problems: list[object] = []

    async def leave(expert: Expert) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: problems.append(what))
        came = asyncio.Event()

        async def read() -> None:
            async for _ in expert.ask_many_async([LEAVE] * 1000, block=1):
                came.set()

        reading = asyncio.create_task(read())
        await came.wait()
        if not at_exit:
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    with Expert(own_workspace, route="retrieval") as expert:
        asyncio.run(leave(expert))
        asked = len(word_answerer.asked)
        time.sleep(0.1)
        assert (len(word_answerer.asked), problems) == (asked, [])
