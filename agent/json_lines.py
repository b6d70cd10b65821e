"""Files of JSON lines as a user writes them, and what is wrong with a line."""

import codecs
import json
import string
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import AgentError

Line = TypeVar("Line", bound=BaseModel)
_BLANK = string.whitespace.encode() + codecs.BOM_UTF8


def read_line(model: type[Line], raw: bytes) -> Line | str:
    """Return a line, or what is wrong with it."""
    try:
        return model.model_validate(json.loads(raw.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return "not UTF-8"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        return f"{field}: {first['msg'].lower()}"
    except (ValueError, RecursionError) as error:
        return not_json(error)


def not_json(error: ValueError | RecursionError) -> str:
    """Return in words why :func:`json.loads` refused a line."""
    if isinstance(error, RecursionError):
        return "not JSON: nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg}"
    # Of Python's own, for numbers of thousands of digits.
    return "not JSON: a number is too long"


def read_lines(
    path: Path, model: type[Line], error: type[AgentError]
) -> tuple[list[tuple[int, Line]], list[tuple[int, str]]]:
    """Read a file; empty lines are passed over.

    :param model: What each line is to be.
    :param error: Raised when the file cannot be read.
    :returns: The good lines with their numbers, and number and reason of each bad one.
    """
    found: list[tuple[int, Line]] = []
    errors: list[tuple[int, str]] = []
    try:
        # Not by all that Unicode ends lines with: JSON has some of it inside of its strings.
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if raw.strip(_BLANK):
                    line = read_line(model, raw)
                    if isinstance(line, str):
                        errors.append((number, line))
                    else:
                        found.append((number, line))
    except OSError as cause:
        raise error(f"{path}: {cause.strerror}") from None
    return found, errors
