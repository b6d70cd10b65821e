"""Read training data: JSONL or CSV, every bad row reported by its line and left out."""

import csv
import difflib
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from adapters.errors import TrainingDataError
from adapters.training.examples import Example, Message, Problem, TrainingData

_JSON, _CSV = (".jsonl", ".ndjson", ".json"), (".csv", ".tsv")
_SEVERAL = ("context", "source_documents")
# A cell may hold a whole passage.
_LONGEST_CELL = 10_000_000


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class _Row(BaseModel):
    """A row as users write it; what it lacks is said in words by :func:`_example`."""

    model_config = ConfigDict(extra="ignore")

    question: str | None = None
    answer: str | None = None
    messages: list[_Turn] | None = None
    context: list[str] = []
    domain: str | None = None
    source_documents: list[str] = []
    system: str | None = None

    @field_validator("context", "source_documents", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if value is None:
            return []
        return [value] if isinstance(value, str) else value


class _BadRowError(Exception):
    """A row that is no example: the field at fault and why."""

    def __init__(self, field: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field


def read_examples(path: Path, *, strict: bool = False) -> TrainingData:
    """Read training data.

    A row has ``question`` and ``answer``, or ``messages``; further ``context``,
    ``source_documents``, ``domain`` and ``system``. A CSV file has the same as columns, but no
    messages.

    :param path: A ``.jsonl`` or ``.csv`` file in UTF-8.
    :param strict: Stop at the first bad row.
    :raises TrainingDataError: When the file cannot be read or holds no example, or, if strict,
        a bad row.
    """
    content, text = _read(path)
    rows = _json_rows(text) if path.suffix.lower() in _JSON else _csv_rows(text)
    examples: list[Example] = []
    problems: list[Problem] = []
    unknown: dict[str, int] = {}
    own_instructions = 0
    for line, row in rows:
        try:
            if isinstance(row, _BadRowError):
                raise row
            for name in row:
                if name not in _Row.model_fields:
                    unknown.setdefault(name, line)
            example = _example(row, line)
        except _BadRowError as bad:
            problems.append(Problem(str(path), line, bad.field, str(bad)))
            if strict:
                raise TrainingDataError(str(problems[-1])) from None
        else:
            examples.append(example)
            own_instructions += example.messages[0].role == "system"
    if not examples:
        detail = f": line {problems[0].line}: {_said(problems[0])}" if problems else ""
        raise TrainingDataError(f"{path} holds no example{detail}")
    warnings = [_unknown(str(path), line, name) for name, line in unknown.items()]
    if own_instructions:
        warnings.append(
            f"{path}: {own_instructions:,} rows have a system prompt of their own: "
            "the adapter must be asked with the same"
        )
    digest = hashlib.sha256(content).hexdigest()
    return TrainingData(str(path), tuple(examples), tuple(problems), tuple(warnings), digest)


def _read(path: Path) -> tuple[bytes, str]:
    if path.suffix.lower() not in _JSON + _CSV:
        raise TrainingDataError(f"{path}: training data is a .jsonl or .csv file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingDataError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TrainingDataError(f"{path}: line {line}: not UTF-8: save the file as UTF-8") from None
    if path.suffix.lower() in _JSON and text.lstrip().startswith("["):
        raise TrainingDataError(f"{path} is one JSON list: write one object a line")
    return content, text


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | _BadRowError]]:
    # Not splitlines(): a JSON text may hold other line separators.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield number, _BadRowError(None, f"not JSON: {error.msg.lower()}")
        except (ValueError, RecursionError):
            yield number, _BadRowError(None, "not JSON: nested too deeply or a number too long")
        else:
            is_object = isinstance(row, dict)
            yield number, row if is_object else _BadRowError(None, "not a JSON object")


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | _BadRowError]]:
    head = text.partition("\n")[0]
    # What is most frequent between the names of the columns.
    separator = max(",;\t", key=head.count)
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names: list[str] | None = None
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, _BadRowError(None, f"not CSV: {error}")
                continue
            if names is None:
                names = [name.strip() for name in cells]
                yield from _without_columns(line, names)
            elif any(cell.strip() for cell in cells):
                yield line, _csv_row(names, cells)
    finally:
        csv.field_size_limit(before)


def _without_columns(line: int, names: list[str]) -> Iterator[tuple[int, _BadRowError]]:
    missing = [name for name in ("question", "answer") if name not in names]
    if missing:
        yield line, _BadRowError(missing[0], "no column of this name in the first line")


def _csv_row(names: list[str], cells: list[str]) -> dict[str, Any] | _BadRowError:
    if len(cells) != len(names):
        return _BadRowError(None, f"{len(cells)} fields, but the first line names {len(names)}")
    row: dict[str, Any] = {
        name: cell for name, cell in zip(names, cells, strict=True) if name and cell.strip()
    }
    if "messages" in row:
        return _BadRowError("messages", "conversations go into a .jsonl file")
    if "source_documents" in row:
        row["source_documents"] = [part.strip() for part in row["source_documents"].split(";")]
    return row


def _example(row: dict[str, Any], line: int) -> Example:
    try:
        parsed = _Row.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise _BadRowError(field or None, first["msg"].lower()) from None
    messages = _conversation(parsed) if parsed.messages is not None else _question(parsed)
    several = {
        name: tuple(text.strip() for text in getattr(parsed, name) if text.strip())
        for name in _SEVERAL
    }
    for name, texts in (
        ("messages", tuple(message.content for message in messages)),
        ("domain", (parsed.domain or "",)),
        *several.items(),
    ):
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            raise _BadRowError(name, "holds half a character: write it as UTF-8")
    return Example(
        messages,
        line,
        context=several["context"],
        domain=(parsed.domain or "").strip() or None,
        sources=several["source_documents"],
    )


def _question(row: _Row) -> tuple[Message, ...]:
    for name in ("question", "answer"):
        value = getattr(row, name)
        if value is None:
            raise _BadRowError(name, "is missing: a row has question and answer, or messages")
        if not value.strip():
            raise _BadRowError(name, "is empty")
    # On one line, as questions are asked; see closed_book.
    question = " ".join((row.question or "").split())
    return (
        *_instruction(row),
        Message("user", question),
        Message("assistant", (row.answer or "").strip()),
    )


def _conversation(row: _Row) -> tuple[Message, ...]:
    if row.question is not None or row.answer is not None:
        raise _BadRowError("messages", "a row has question and answer, or messages, not both")
    turns = [Message(turn.role, turn.content.strip()) for turn in row.messages or []]
    if turns and turns[0].role == "system" and row.system:
        raise _BadRowError("system", "stands in messages already")
    messages = (*_instruction(row), *turns)
    for number, message in enumerate(turns):
        if not message.content:
            raise _BadRowError(f"messages.{number}.content", "is empty")
    said = [message.role for message in messages[1:]] if _has_instruction(messages) else None
    roles = said if said is not None else [message.role for message in messages]
    wanted = ["user", "assistant"] * (len(roles) // 2)
    if not roles or roles != wanted:
        raise _BadRowError(
            "messages", "must go user, assistant, … and end with assistant; system stands first"
        )
    return messages


def _has_instruction(messages: tuple[Message, ...]) -> bool:
    return bool(messages) and messages[0].role == "system"


def _instruction(row: _Row) -> tuple[Message, ...]:
    text = (row.system or "").strip()
    return (Message("system", text),) if text else ()


def _unknown(path: str, line: int, name: str) -> str:
    near = difflib.get_close_matches(name, _Row.model_fields, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'{path}: line {line}: the field "{name}" is not read{hint}'


def _said(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message
