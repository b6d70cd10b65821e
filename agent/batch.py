"""Answer the questions of a file; what is answered stays answered when the run is cut off."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.errors import ExpertError
from agent.errors import BatchError
from agent.expert import Expert, Failure, Question
from agent.history import Said, Words, turns
from agent.json_lines import read_line
from agent.printable import to_json

Progress = Callable[[int], None]
# As every answer begins that is written.
_BEGINNING = b'{"id":'
# Before a digest that knows the way in which a question was asked.
_DIGEST = "way:"
_REASON = {"line", "id", "error"}


class BatchLine(BaseModel):
    """One line of a file of questions; other fields are passed through.

    :param id: Names the line in the output; its number where there is none.
    :param question: The question.
    :param history: The conversation before it, oldest first.
    :param route: ``retrieval``, ``expert`` or ``hybrid``; None for the router's choice.
    :param adapter: Who writes, such as ``hr`` or ``hr@3``.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str | int | None = None
    question: Words
    history: tuple[Said, ...] = ()
    route: Literal["retrieval", "expert", "hybrid"] | None = Field(default=None)
    adapter: str | None = None

    def asked(self) -> Question:
        """Return the question as the expert takes it."""
        return Question(self.question, turns(self.history), self.route, self.adapter)

    def digest(self, *way: str | None) -> str:
        """Return what is another when something else is asked, or in another way."""
        history = [(said.question, said.answer) for said in self.history]
        asked = json.dumps((self.question, history, *way))
        return hashlib.sha256(asked.encode()).hexdigest()[:16]


@dataclass(slots=True)
class BatchResult:
    """What came of a run.

    :param answered: Questions answered in this run.
    :param abstained: Questions withheld in this run.
    :param failed: Lines that are in the errors file.
    :param kept: Lines that an earlier run had written.
    """

    answered: int = 0
    abstained: int = 0
    failed: int = 0
    kept: int = 0


def run_batch(
    expert: Expert,
    source: Path,
    target: Path,
    errors: Path,
    *,
    on_progress: Progress = lambda done: None,
) -> BatchResult:
    """Answer each line of a file that the output does not have yet.

    :param expert: Answers.
    :param source: JSON lines, see :class:`BatchLine`.
    :param target: Where answers go, a line each in the order of the source; what is there
        already is kept and not asked again.
    :param errors: Where lines that cannot be answered go, with the reason; written anew where it
        has the reasons of an earlier run, and made only if there are some.
    :param on_progress: Told how many lines are done with, those of earlier runs too.
    :raises BatchError: When a file cannot be read or written, another run writes there, the
        output has answers to what was asked otherwise, or ``errors`` has something else in it.
    """
    from filelock import FileLock, Timeout

    expert.workspace.create()
    place = hashlib.sha256(str(target.resolve()).encode()).hexdigest()[:16]
    try:
        with FileLock(expert.workspace.path / "runs" / f"batch-{place}.lock").acquire(timeout=0):
            return _Run(expert, source, target, errors, on_progress).run()
    except Timeout:
        raise BatchError(f"{target}: another run writes there") from None
    except OSError as error:
        raise BatchError(f"{error.filename or target}: {error.strerror or error}") from None


class _Run:
    def __init__(
        self, expert: Expert, source: Path, target: Path, errors: Path, on_progress: Progress
    ) -> None:
        self._expert, self._source, self._target = expert, source, target
        self._errors, self._on_progress = errors, on_progress
        self._result = BatchResult()
        self._there: dict[str, str | int] = {}
        self._asked: deque[tuple[int, str | int, BatchLine]] = deque()

    def run(self) -> BatchResult:
        self._there = _answered(self._target)
        with self._source.open("rb") as source, self._target.open("ab") as target:
            if self._source.is_file():
                # An answer to something else shows before hours were spent on other answers.
                for _ in self._lines(source):
                    pass
                source.seek(0)
            _clear(self._errors)
            for reply in self._expert.ask_many(self._questions(source)):
                number, name, line = self._asked.popleft()
                if isinstance(reply, Failure):
                    self._fail(number, name, str(reply.error))
                    continue
                # As it was asked, so that a later run finds it.
                asked = {"question": line.question, "asked": self._digest(line)}
                _write(target, _merged(name, line, reply.to_dict() | asked))
                os.fsync(target.fileno())
                if reply.answer.abstained:
                    self._result.abstained += 1
                else:
                    self._result.answered += 1
                self._tell()
        return self._result

    def _questions(self, source: BinaryIO) -> Iterator[Question]:
        for number, name, line in self._lines(source):
            if isinstance(line, str):
                self._fail(number, name, line)
            elif name is not None and str(name) not in self._there:
                self._asked.append((number, name, line))
                yield line.asked()
            else:
                self._result.kept += 1
                self._tell()

    def _lines(self, source: BinaryIO) -> Iterator[tuple[int, str | int | None, BatchLine | str]]:
        """Yield number, id and content of each line, or what is wrong with it.

        :raises BatchError: When the output has an answer to something else under a line's id,
            or one that was asked for otherwise.
        """
        seen: dict[str, int] = {}
        for number, raw in enumerate(source, 1):
            if not raw.strip():
                continue
            line = read_line(BatchLine, raw)
            if isinstance(line, str):
                yield number, None, line
                continue
            name = number if line.id is None else line.id
            first = seen.setdefault(str(name), number)
            if first != number:
                reason = f"line {first} has it already"
                if line.id is None:
                    reason = f"it has none, and line {first} has its number as id: give it one"
                yield number, name, f"id: {reason}"
                continue
            # Older versions wrote the line's own words alone.
            former = line.digest(line.route, line.adapter), hash(line.question)
            if self._there.get(str(name)) not in (None, self._digest(line), *former):
                raise BatchError(
                    f"{self._target} answers id {name} as asked before, not as {self._source}, "
                    f"line {number}, and this command ask (question, history, route, adapter, "
                    "answerer): give another -o, or remove that answer"
                )
            yield number, name, line

    def _digest(self, line: BatchLine) -> str:
        try:
            way = self._expert.way_of(line.asked())
        except ExpertError:
            way = line.route, line.adapter, None  # it says why when it is asked
        return f"{_DIGEST}{line.digest(*way)}"

    def _fail(self, number: int, name: str | int | None, reason: str) -> None:
        with self._errors.open("ab") as errors:
            _write(errors, {"line": number, "id": name, "error": reason})
        self._result.failed += 1
        self._tell()

    def _tell(self) -> None:
        done = self._result
        self._on_progress(done.answered + done.abstained + done.failed + done.kept)


def _clear(errors: Path) -> None:
    """Remove the reasons of an earlier run, and nothing that is something else.

    :raises BatchError: When a file has something else, or there is no folder to write into.
    """
    if not errors.parent.is_dir():
        raise BatchError(f"{errors}: there is no such folder")
    if not errors.is_file() or not errors.stat().st_size:
        return
    with errors.open("rb") as file:
        try:
            is_reason = json.loads(file.readline()).keys() == _REASON
        except (ValueError, AttributeError, RecursionError):
            is_reason = False
    if not is_reason:
        raise BatchError(f"{errors} has something else than errors: give another --errors")
    # Not the link that may lead there, such as /dev/stderr.
    errors.resolve().unlink()


def _answered(target: Path) -> dict[str, str | int]:
    """Return the ids that the output has, and what was asked; cut a torn last line.

    :returns: Of each a digest, or the question's hash where an older version wrote it.
    :raises BatchError: When the file is no output of a batch.
    """
    found: dict[str, str | int] = {}
    if not target.exists():
        return found
    if not target.is_file():
        raise BatchError(f"{target}: not a file; a run goes on from it")
    with target.open("r+b") as file:
        whole = 0
        for number, raw in enumerate(file, 1):
            try:
                line = json.loads(raw)
                question = hash(line["question"])
                found[str(line["id"])] = line.get("asked") or question
            except (ValueError, TypeError, KeyError, RecursionError):
                if raw.endswith(b"\n") or not _BEGINNING.startswith(raw[: len(_BEGINNING)]):
                    raise BatchError(
                        f"{target}, line {number}: no answer of a batch: remove that line, and "
                        "run again, or give another -o"
                    ) from None
                file.truncate(whole)
                return found
            whole += len(raw)
            if not raw.endswith(b"\n"):
                file.write(b"\n")
    return found


def _merged(name: str | int, line: BatchLine, reply: dict[str, Any]) -> dict[str, Any]:
    """Return a reply with what else its question's line holds.

    A field of the line that is named as one of the reply's is kept under ``given``.
    """
    further = line.model_extra or {}
    given = {key: value for key, value in further.items() if key in reply or key == "given"}
    passed = {key: value for key, value in further.items() if key not in given}
    return {"id": name, **reply, **passed} | ({"given": given} if given else {})


def _write(file: BinaryIO, content: dict[str, Any]) -> None:
    file.write(f"{to_json(content)}\n".encode())
    file.flush()
