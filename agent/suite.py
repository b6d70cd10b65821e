"""Suites: questions with what answers them, to measure on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import SuiteError
from agent.follow_up import standalone
from agent.history import Said, turns
from agent.json_lines import read_lines
from agent.printable import printable

# A letter or a digit at least, or every answer would hold it.
_Words = Annotated[str, Field(pattern=r"\w")]


class SuiteQuestion(BaseModel):
    """One line of a suite.

    A question without ``accepted`` answers is one that the documents do not answer; one with
    ``accepted_all`` is answered when each of them stands in the answer. ``route`` and
    ``adapter`` are where it should go, and ``history`` is the conversation before it, oldest
    first. What is null is not given, nor is an ``answer`` without words. Other fields than these
    are kept but not looked at.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(default="", coerce_numbers_to_str=True)
    question: str = Field(min_length=1)
    answer: str | None = None
    accepted: tuple[_Words, ...] = ()
    gold_files: tuple[str, ...] = ()
    kind: str = ""
    route: Literal["retrieval", "expert", "hybrid", "abstain"] | None = None
    adapter: str | None = None
    accepted_all: tuple[_Words, ...] = ()
    history: tuple[Said, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _given(cls, line: Any) -> Any:
        if not isinstance(line, dict):
            return line
        given = {k: v for k, v in line.items() if v is not None or k not in cls.model_fields}
        if isinstance(given.get("answer"), str) and not given["answer"].strip():
            del given["answer"]
        return given

    @property
    def has_answer(self) -> bool:
        """Whether it is to be answered.

        With nothing accepted, ``answer`` says what is right; beside an ``accepted`` that is
        given and empty it only says why nothing is.
        """
        if self.route == "abstain":
            return False
        if self.accepted or self.accepted_all:
            return True
        return self.answer is not None and "accepted" not in self.model_fields_set

    @property
    def is_judged(self) -> bool:
        """Whether it says what is accepted, or that nothing is."""
        return bool(self.accepted or self.accepted_all) or not self.has_answer

    @property
    def searched(self) -> str:
        """The question as it is searched for: a follow-up is completed from its history."""
        return standalone(printable(self.question), turns(self.history))


@dataclass(frozen=True, slots=True)
class Suite:
    """The questions of a file, and the lines of it that are none.

    :param questions: In the file's order.
    :param errors: Line and reason of each bad line.
    """

    questions: list[SuiteQuestion]
    errors: list[tuple[int, str]]


def is_gold(document: str, gold_files: Sequence[str]) -> bool:
    """Say whether a document is one of those that a question's ``gold_files`` mean.

    :param document: Its path, relative to the folder that was indexed.
    :param gold_files: Such paths, or whole parts of their ends: ``leave.md`` is
        ``hr/leave.md``, and not ``hr/sick-leave.md``.
    """
    return any(f"/{document}".endswith(f"/{one.lstrip('/')}") for one in gold_files)


def read_suite(path: Path) -> Suite:
    """Read a suite: one JSON object a line.

    :raises SuiteError: When the file cannot be read or holds no question.
    """
    lines, errors = read_lines(path, SuiteQuestion, SuiteError)
    questions = [line.model_copy(update={"id": line.id or str(n)}) for n, line in lines]
    if not questions:
        detail = f": line {errors[0][0]}: {errors[0][1]}" if errors else ""
        raise SuiteError(f"{path} holds no question{detail}")
    return Suite(questions, errors)
