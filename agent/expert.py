"""The façade: ask questions of a workspace's documents and adapters."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from adapters.errors import ExpertError
from agent.attempts import Attempts, Tried
from agent.errors import WorkspaceError
from agent.follow_up import Turn
from agent.planning import Plan, Planner, Question, checked, is_settled
from agent.reply import Reply
from agent.router.decision import Decision
from agent.routes import Routes
from agent.stream import AnswerStream
from agent.trace import Recorder
from agent.workspace import Workspace
from pipelines.spans import span

__all__ = ["AnswerStream", "Expert", "Failure", "Question", "Reply"]

_WRITERS = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that was not answered.

    :param question: The question.
    :param error: Why: an adapter that there is not, a text too long for the model.
    """

    question: str
    error: ExpertError


@dataclass(frozen=True, slots=True)
class _Begun:
    """A question whose answer may still be written."""

    plan: Plan | Failure
    done: "Future[Tried | Failure]"
    started: float


class Expert:
    """Answers questions from a workspace; a context manager, opened once for many questions.

    Several threads may ask at once: what a language model writes for them is written together.

    The workspace's router chooses each question's route, unless the caller does, or a pipeline
    of the user's own finds what the router cannot know.

    :param workspace: The workspace; it must hold an index or an adapter.
    :param answerer: ``quote``, ``phi3``, or None for the one that the settings choose, on the
        route ``retrieval``, which it chooses when no route is given.
    :param adapter: An adapter that answers by itself, from what it has learned, such as
        ``hr`` or ``hr@3``; with the route ``hybrid`` it writes what the documents say.
    :param route: ``retrieval``, ``expert`` or ``hybrid`` for every question; the router chooses
        the adapter where none is given. None to have the router choose the route.
    :raises WorkspaceError: When nothing is indexed and no adapter registered, or a route or
        adapter is not fitting.
    :raises AdapterError: When there is no such adapter.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        answerer: str | None = None,
        adapter: str | None = None,
        route: str | None = None,
    ) -> None:
        self.workspace = workspace
        self._answerer = answerer
        route, adapter = checked(route, adapter)
        if route is None and answerer:
            route = "retrieval"
        self._alone = not workspace.has_adapters
        if route is None and self._alone and workspace.settings.retrieval.pipeline is not None:
            # What a pipeline of the user's own can find, the router cannot know.
            route = "retrieval"
        self._route, self._adapter = route, adapter
        self._routes = Routes(workspace, answerer)
        self._planner = Planner(self._routes, route, adapter)
        self._attempts = Attempts(self._routes, self._planner)
        self._recorder = Recorder(workspace)
        try:
            self._open()
        except BaseException:
            self._routes.close()
            raise

    def _open(self) -> None:
        if self._adapter is not None:
            self._routes.expert(self._adapter)
        if self._route in ("retrieval", "hybrid") or (self._route is None and self._alone):
            _ = self._routes.pipeline
        if self._route == "retrieval":
            _ = self._routes.answerer
        if not is_settled(self._route, self._adapter):
            memory = self._routes.router.memory
            if self._route is not None and not memory.adapters:
                raise WorkspaceError(
                    f"route {self._route} needs an adapter: `expert train` makes one"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load what the first question would have to wait for."""
        if self._routes.has_documents and self._route != "expert":
            self._routes.pipeline.warm_up()
            self._routes.answerer.warm_up()
        if self._adapter is not None and self._route == "expert":
            self._routes.expert(self._adapter).warm_up()

    def close(self) -> None:
        """Close the index and what else is open."""
        self._routes.close()
        self._recorder.close()

    def way_of(self, question: Question) -> tuple[str | None, str | None, str | None]:
        """Return a question's route, adapter and answerer, as far as the caller chose them.

        :raises WorkspaceError: When its route and adapter do not fit.
        """
        route, adapter = self._planner.chosen(question)
        return route, adapter, self._answerer if route == "retrieval" else None

    def decide(self, question: str, *, history: Sequence[Turn] = ()) -> Decision | None:
        """Return how the router would answer a question; None where there is no router."""
        return self._planner.plan([Question(question, tuple(history))])[0].decision

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer a question.

        :param question: The question; a follow-up is completed from the history. What no text
            holds, such as control characters, is left out.
        :param history: The conversation so far, oldest first.
        :param on_text: Told each piece of a language model's reply as it is written; what another
            route, or another part of the question, gives after it begins a new line.
        """
        started = time.perf_counter()
        with span("expert.ask", question) as opened:
            (plan,) = self._planner.plan([Question(question, tuple(history))])
            tried = self._attempts.answer(plan, on_text)
            reply = _reply(plan, tried, 1000 * (time.perf_counter() - started))
            reply = self._recorder.keep(reply)
            opened.set_tags(
                {
                    "route": reply.route,
                    "abstained": reply.answer.abstained,
                    "confidence": reply.answer.confidence,
                    "trace": reply.trace or "",
                }
            )
        return reply

    async def ask_async(self, question: str, *, history: Sequence[Turn] = ()) -> Reply:
        """Answer a question without holding up the event loop; see :meth:`ask`."""
        return await asyncio.to_thread(self.ask, question, history=history)

    def stream(self, question: str, *, history: Sequence[Turn] = ()) -> AnswerStream:
        """Return the answer to a question as it is written, for ``for`` and ``async for``.

        :param question: The question; a follow-up is completed from the history.
        :param history: The conversation so far, oldest first.
        """
        return AnswerStream(lambda on_text: self.ask(question, history=history, on_text=on_text))

    def ask_many(
        self, questions: Iterable[str | Question], *, block: int = 64
    ) -> Generator[Reply | Failure, None, None]:
        """Answer many questions, in their order; what is asked for is read as it is needed.

        Routes are chosen for a block of questions at once. While a language model writes for
        some, several at a time and each with its own adapter, the documents are searched for
        the next ones. Answers are those of :meth:`ask`.

        :param questions: Any number, of which about a block is held at a time.
        :param block: Questions whose routes are chosen together, and whose answers may wait.
        :returns: A reply for each question, or why there is none: only that one is lost.
        """
        waiting: deque[_Begun] = deque()
        with ThreadPoolExecutor(_WRITERS, "expert-writer") as writers:
            try:
                for asked in _blocks(questions, block):
                    for plan in self._plan_each(asked):
                        waiting.append(self._start(plan, writers))
                        while waiting and (len(waiting) > block or waiting[0].done.done()):
                            yield self._end(waiting.popleft())
                while waiting:
                    yield self._end(waiting.popleft())
            finally:
                writers.shutdown(wait=False, cancel_futures=True)

    async def ask_many_async(
        self, questions: Iterable[str | Question], *, block: int = 64
    ) -> AsyncIterator[Reply | Failure]:
        """Answer many questions without holding up the event loop; see :meth:`ask_many`.

        Cancelled, it ends when what is being answered is.
        """
        replies = self.ask_many(questions, block=block)
        loop, context = asyncio.get_running_loop(), copy_context()
        step: asyncio.Future[Reply | Failure | None] | None = None
        try:
            while True:
                step = loop.run_in_executor(None, context.run, lambda: next(replies, None))
                if (reply := await asyncio.shield(step)) is None:
                    break
                yield reply
        finally:
            if step is not None:
                # A thread cannot be cancelled, and what still runs cannot be closed.
                await asyncio.wait([step])
            await asyncio.to_thread(replies.close)

    def _plan_each(self, questions: Sequence[Question]) -> Iterator[Plan | Failure]:
        """Plan questions together; where one cannot be, the others are planned all the same."""
        try:
            yield from self._planner.plan(questions)
        except ExpertError as error:
            if len(questions) == 1:
                yield Failure(questions[0].text, error)
                return
            for question in questions:
                yield from self._plan_each([question])

    def _start(self, plan: Plan | Failure, writers: ThreadPoolExecutor) -> _Begun:
        """Answer a question, or have it answered where a language model writes."""
        now: Future[Tried | Failure] = Future()
        started = time.perf_counter()
        if isinstance(plan, Failure):
            now.set_result(plan)
            return _Begun(plan, now, started)
        try:
            # Of a question in parts a model writes some, as far as can be told beforehand.
            is_written = bool(plan.parts) or self._routes.way(plan.route, plan.adapter).is_written
            is_written |= plan.steps is not None and self._routes.agent is not None
            is_written |= plan.knew is not None
            if plan.otherwise is not None and not is_written:
                route, adapter = plan.otherwise
                is_written = route == "expert" or self._routes.way(route, adapter).is_written
        except ExpertError as error:
            now.set_result(Failure(plan.question, error))
            return _Begun(plan, now, started)

        def answer() -> Tried | Failure:
            try:
                return self._attempts.answer(plan)
            except ExpertError as error:
                return Failure(plan.question, error)

        if is_written:
            return _Begun(plan, writers.submit(answer), started)
        now.set_result(answer())
        return _Begun(plan, now, started)

    def _end(self, begun: _Begun) -> Reply | Failure:
        """Wait for an answer."""
        plan, tried = begun.plan, begun.done.result()
        if isinstance(tried, Failure):
            return tried
        assert isinstance(plan, Plan)  # noqa: S101 - a failed plan is done with a failure
        chosen = 0.0 if plan.decision is None else plan.took
        reply = _reply(plan, tried, chosen + 1000 * (time.perf_counter() - begun.started))
        return self._recorder.keep(reply)


def _reply(plan: Plan, tried: Tried, total: float) -> Reply:
    done = tried.done
    took: dict[str, float] = {} if plan.decision is None else {"route": plan.took}
    for one in tried.taken:
        for name, milliseconds in one.took.items():
            took[name] = took.get(name, 0.0) + milliseconds
    return Reply(
        question=plan.question,
        searched=tried.read_as or plan.searched,
        answer=done.answer,
        route="abstain" if done.answer.abstained else done.route,
        adapter=done.adapter,
        hits=tuple(done.found.hits),
        evidence=tuple(done.found.evidence),
        timings_ms={**took, "total": total},
        decision=plan.decision,
        tried=tuple(one.way or one.route for one in tried.taken),
        changed=() if done.answer.abstained else done.changed,
        parts=done.parts,
    )


def _blocks(questions: Iterable[str | Question], size: int) -> Iterator[list[Question]]:
    each = iter(questions)
    while block := list(islice(each, size)):
        yield [Question(one) if isinstance(one, str) else one for one in block]
