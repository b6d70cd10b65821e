"""Check training data before anything is trained: rows that would harm are left out."""

from collections.abc import Iterable, Iterator

from adapters.chat_markup import ChatMarkup
from adapters.errors import GenerationError, TrainingDataError
from adapters.training.examples import Example, Problem, TrainingData
from adapters.training.render import render
from adapters.training.sameness import agree, normalised, prompt_key, question_keys

# Under this a held-out loss says nothing and an adapter only parrots its rows.
LEAST = 8
# The field's own advice.
RARELY_PAYS = 200


def check_rows(data: TrainingData, *, strict: bool = False) -> TrainingData:
    """Leave out duplicates and contradictions.

    Of rows that ask and answer the same, word for word but for case and punctuation, the first
    is kept. Where answers to one question contradict each other all of its rows are left out:
    which one is right cannot be seen from them. Two wordings of one answer are both kept.

    :param strict: Raise at the first such row.
    :raises TrainingDataError: If strict.
    """
    by_prompt: dict[tuple[str, ...], list[Example]] = {}
    for example in data.examples:
        by_prompt.setdefault(prompt_key(example), []).append(example)
    problems: list[Problem] = []
    for rows in by_prompt.values():
        distinct: dict[str, Example] = {}
        for row in rows:
            first = distinct.setdefault(normalised(row.answer), row)
            if first is not row:
                message = f"asks and answers the same as line {first.line}"
                problems.append(Problem(data.path, row.line, None, message))
        problems += _contradictions(data.path, list(distinct.values()))
    return _left_out(data, sorted(problems, key=lambda problem: problem.line), strict)


def check_lengths(
    data: TrainingData, markup: ChatMarkup, window: int, *, strict: bool = False
) -> TrainingData:
    """Leave out rows that do not fit into the model's window, or its template.

    :param markup: The model's own.
    :param window: Tokens that the model is trained on at once.
    :param strict: Raise at the first such row.
    :raises TrainingDataError: If strict.
    """
    return _left_out(data, _too_long(data, markup, window), strict)


def without_leaks(
    held_out: TrainingData, train: TrainingData, *, strict: bool = False
) -> TrainingData:
    """Leave out of the held-out rows those whose question is trained on.

    Nearly the same counts as the same: see :func:`~adapters.training.sameness.question_keys`.

    :param strict: Raise at the first such row.
    :raises TrainingDataError: If strict.
    """
    keys = question_keys((*train.examples, *held_out.examples))
    count = len(train.examples)
    known: dict[tuple[object, ...], int] = {}
    for key, example in zip(keys[:count], train.examples, strict=True):
        known.setdefault(key, example.line)
    problems = (
        Problem(
            held_out.path,
            example.line,
            "question",
            f"is trained on too, in line {known[key]} of {train.path}",
        )
        for key, example in zip(keys[count:], held_out.examples, strict=True)
        if key in known
    )
    return _left_out(held_out, problems, strict)


def check_count(data: TrainingData, *, strict: bool = False) -> TrainingData:
    """Warn of few examples, and refuse where they are too few to learn anything.

    :param strict: Refuse where a warning would be given.
    :raises TrainingDataError: When there are too few.
    """
    count = len(data.examples)
    if count >= RARELY_PAYS:
        return data
    said = f"{count} example{'' if count == 1 else 's'}"
    message = (
        f"{said}: fine-tuning rarely pays under about {RARELY_PAYS}; retrieval will serve better"
    )
    if count < LEAST:
        raise TrainingDataError(f"{data.path}: {said}: training needs at least {LEAST}")
    if strict:
        raise TrainingDataError(f"{data.path}: {message}")
    return data.without((), (message,))


def _contradictions(path: str, rows: list[Example]) -> list[Problem]:
    for number, row in enumerate(rows):
        for other in rows[:number]:
            if not agree(row.answer, other.answer):
                return [
                    Problem(
                        path,
                        each.line,
                        "answer",
                        f"contradicts line {_another(each, rows)}: same question, another answer",
                    )
                    for each in rows
                ]
    return []


def _another(row: Example, rows: list[Example]) -> int:
    """Return the line of a row that it contradicts, or that makes its question doubtful."""
    others = [other for other in rows if other is not row]
    return next((o.line for o in others if not agree(row.answer, o.answer)), others[0].line)


def _too_long(data: TrainingData, markup: ChatMarkup, window: int) -> Iterator[Problem]:
    for example in data.examples:
        try:
            length = len(render(example, markup)[0])
        except GenerationError as error:
            yield Problem(data.path, example.line, None, str(error))
            continue
        if length <= window:
            continue
        answer = len(markup.encode_text(example.answer))
        if answer > window:
            message = f"takes {answer:,} tokens of the model's {window:,}: shorten it"
            yield Problem(data.path, example.line, "answer", message)
        else:
            message = f"takes {length:,} tokens of the model's {window:,}: shorten what is asked"
            yield Problem(data.path, example.line, None, message)


def _left_out(data: TrainingData, problems: Iterable[Problem], strict: bool) -> TrainingData:
    found = []
    for problem in problems:
        if strict:
            raise TrainingDataError(str(problem))
        found.append(problem)
    return data.without(tuple(found))
