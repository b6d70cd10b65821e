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

from agent.errors import BatchError
from agent.expert import Expert, Failure, Question
from agent.history import Said, Words, turns
from agent.json_lines import read_line
from agent.printable import to_json

Progress = Callable[[int], None]
# As every answer begins that is written.
_BEGINNING = b'{"id":'


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
    :param errors: Where lines that cannot be answered go, with the reason; written anew.
    :param on_progress: Told how many lines are done with, those of earlier runs too.
    :raises BatchError: When a file cannot be read or written, another run writes there, or the
        output has answers to other questions.
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
        raise BatchError(f"{error.filename or target}: {error.strerror}") from None


class _Run:
    def __init__(
        self, expert: Expert, source: Path, target: Path, errors: Path, on_progress: Progress
    ) -> None:
        self._expert, self._source, self._target = expert, source, target
        self._errors, self._on_progress = errors, on_progress
        self._result = BatchResult()
        self._there: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._asked: deque[tuple[int, str | int, BatchLine]] = deque()

    def run(self) -> BatchResult:
        self._there = _answered(self._target)
        # In any case, so that no reasons of an earlier run stay behind.
        with (
            self._source.open("rb") as source,
            self._target.open("ab") as target,
            self._errors.open("wb") as errors,
        ):
            for reply in self._expert.ask_many(self._questions(source, errors)):
                number, name, line = self._asked.popleft()
                if isinstance(reply, Failure):
                    self._fail(errors, number, name, str(reply.error))
                    continue
                _write(target, _merged(name, line, reply.to_dict()))
                if reply.answer.abstained:
                    self._result.abstained += 1
                else:
                    self._result.answered += 1
                self._tell()
        if not self._result.failed:
            self._errors.unlink()
        return self._result

    def _questions(self, source: BinaryIO, errors: BinaryIO) -> Iterator[Question]:
        for number, raw in enumerate(source, 1):
            if not raw.strip():
                continue
            line = read_line(BatchLine, raw)
            if isinstance(line, str):
                self._fail(errors, number, None, line)
                continue
            name = number if line.id is None else line.id
            first = self._seen.setdefault(str(name), number)
            if first != number:
                self._fail(errors, number, name, f"id: line {first} has it already")
                continue
            known = self._there.get(str(name))
            if known is None:
                self._asked.append((number, name, line))
                yield line.asked()
                continue
            if known != hash(line.question):
                raise BatchError(
                    f"{self._target} answers another question under id {name} than "
                    f"{self._source}, line {number}: give another -o, or remove it"
                )
            self._result.kept += 1
            self._tell()

    def _fail(self, errors: BinaryIO, number: int, name: str | int | None, reason: str) -> None:
        _write(errors, {"line": number, "id": name, "error": reason})
        self._result.failed += 1
        self._tell()

    def _tell(self) -> None:
        done = self._result
        self._on_progress(done.answered + done.abstained + done.failed + done.kept)


def _answered(target: Path) -> dict[str, int]:
    """Return the ids that the output has, each with its question's hash; cut a torn last line.

    :raises BatchError: When the file is no output of a batch.
    """
    found: dict[str, int] = {}
    if not target.exists():
        return found
    with target.open("r+b") as file:
        whole = 0
        for number, raw in enumerate(file, 1):
            try:
                line = json.loads(raw)
                found[str(line["id"])] = hash(line["question"])
            except (ValueError, TypeError, KeyError):
                if raw.endswith(b"\n") or not _BEGINNING.startswith(raw[: len(_BEGINNING)]):
                    raise BatchError(f"{target}, line {number}: no answer of a batch") from None
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
    # As it was written, so that a later run finds it.
    told = reply | {"question": line.question}
    return {"id": name, **told, **passed} | ({"given": given} if given else {})


def _write(file: BinaryIO, content: dict[str, Any]) -> None:
    file.write(f"{to_json(content)}\n".encode())
    file.flush()
    os.fsync(file.fileno())
