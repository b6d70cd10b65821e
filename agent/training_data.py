"""Prepare training data: read, check, hold out, give it passages, and say what was found."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.training.checks import check_count, check_lengths, check_rows, without_leaks
from adapters.training.examples import Example, TrainingData
from adapters.training.read import read_examples
from adapters.training.split import split
from agent.workspace import Workspace

if TYPE_CHECKING:
    from adapters.card import SourceDocument
    from adapters.models import ModelFiles
    from agent.training_context import Grounded, Mixture

_SHOWN_NAMES = 3
# Characters of an answer that is one fact.
_LONGEST_ANSWER = 300


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data that is ready to be trained on.

    :param train: What is learned from.
    :param held_out: What is measured on.
    :param warnings: What the user is to know, data's own warnings included.
    :param with_retrieval: Whether the index was searched for passages.
    :param grounded: Of the rows to learn from, how they got passages; None where none did.
    :param questions: What is asked in them, without passages.
    :param sources: Documents of the index that the rows rest on.
    :param question_sources: Names of those that each question rests on.
    :param answers: The answer to each question; empty where it is long, or does not answer the
        question alone.
    """

    train: TrainingData
    held_out: TrainingData
    warnings: tuple[str, ...]
    questions: tuple[str, ...]
    with_retrieval: bool = False
    grounded: "Grounded | None" = None
    sources: tuple["SourceDocument", ...] = ()
    question_sources: tuple[tuple[str, ...], ...] = ()
    answers: tuple[str, ...] = ()


def prepare(
    workspace: Workspace,
    base: "ModelFiles",
    path: Path,
    *,
    held_out: Path | float,
    seed: int,
    strict: bool = False,
    mixture: "Mixture | None" = None,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Prepared:
    """Read training data, check it and, if wanted, give it passages of the index.

    :param base: The model to be trained on.
    :param path: The data.
    :param held_out: A file to measure on, or the share of the data to hold out.
    :param seed: Decides what is held out.
    :param strict: Stop at the first fault.
    :param mixture: Which passages of the index to train with; None for no search.
    :param on_progress: Told how many rows were searched for, and of how many.
    :raises TrainingDataError: When the data cannot be trained on, or a fault is found in strict.
    :raises WorkspaceError: When passages are wanted and nothing is indexed.
    :raises ModelError: When the base cannot be read.
    """
    from adapters.architecture import read_architecture
    from adapters.chat_markup import ChatMarkup

    data = check_rows(read_examples(path, strict=strict), strict=strict)
    if isinstance(held_out, Path):
        measured = check_rows(read_examples(held_out, strict=strict), strict=strict)
        train, measured = data, without_leaks(measured, data, strict=strict)
    else:
        train, measured = split(data, held_out, seed)
    questions = {example.line: example.question for example in train.examples}
    markup, window = ChatMarkup(base.folder), read_architecture(base.folder).context_length
    grounded, grounded_measured = _grounded(workspace, train, measured, mixture, on_progress)
    if grounded is not None and grounded_measured is not None:
        train, measured = grounded.data, grounded_measured.data
    train = check_lengths(train, markup, window, strict=strict)
    measured = check_lengths(measured, markup, window, strict=strict)
    grounded = replace(grounded, data=train) if grounded is not None else None
    # Counted at the end, whole: what is held out is no fault of the data.
    own = () if isinstance(held_out, Path) else measured.examples
    whole = check_count(replace(train, examples=(*train.examples, *own)), strict=strict)
    sources, missing = _sources(workspace, train.examples)
    warnings = [*whole.warnings, *_of_eval(measured, held_out), *_of_domains(train.examples)]
    if missing:
        warnings.append(
            f"not in the index, so that changes of them will not be noticed: {_named(missing)}"
        )
    asked: dict[str, set[str]] = {}
    answers: dict[str, str] = {}
    for example in train.examples:
        question = questions[example.line]
        asked.setdefault(question, set()).update(example.sources)
        alone = example.has_one_question and example.question == question
        short = alone and len(example.answer) <= _LONGEST_ANSWER
        answers.setdefault(question, example.answer if short else "")
    return Prepared(
        train,
        measured,
        tuple(warnings),
        tuple(asked),
        mixture is not None,
        grounded,
        sources,
        tuple(tuple(sorted(names)) for names in asked.values()) if sources else (),
        tuple(answers.values()),
    )


def _grounded(
    workspace: Workspace,
    train: TrainingData,
    measured: TrainingData,
    mixture: "Mixture | None",
    on_progress: Callable[[int, int], None],
) -> tuple["Grounded | None", "Grounded | None"]:
    examples = (*train.examples, *measured.examples)
    if mixture is None and not any(example.context for example in examples):
        return None, None
    # Haystack is imported here: rows without passages must not pay for it.
    from agent.training_context import ground, searcher

    if mixture is None:
        return ground(train), ground(measured)
    from agent.assemble import open_pipeline

    with open_pipeline(workspace) as pipeline:
        pipeline.warm_up()
        search, before, of = searcher(pipeline), len(train.examples), len(examples)
        first = ground(train, search, mixture, lambda done: on_progress(done, of))
        second = ground(measured, search, mixture, lambda done: on_progress(before + done, of))
        return first, second


def _sources(
    workspace: Workspace, examples: tuple[Example, ...]
) -> tuple[tuple["SourceDocument", ...], tuple[str, ...]]:
    if not any(example.sources for example in examples):
        return (), ()
    from agent.freshness import IndexedDocuments

    known, names = IndexedDocuments.of(workspace), {n for e in examples for n in e.sources}
    return ((), tuple(sorted(names))) if known is None else known.sources(names)


def _of_eval(measured: TrainingData, given: Path | float) -> Iterator[str]:
    if isinstance(given, Path):
        yield from measured.warnings
    if isinstance(given, Path) and not measured.examples:
        yield f"{measured.path}: every row is trained on too: nothing is left to measure on"


def _of_domains(examples: tuple[Example, ...]) -> Iterator[str]:
    counted = Counter(example.domain for example in examples if example.domain)
    if len(counted) > 1:
        most = ", ".join(f"{name} ({n:,})" for name, n in counted.most_common(_SHOWN_NAMES))
        yield f"rows of {len(counted)} domains, {most}: an adapter for each serves better"


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
