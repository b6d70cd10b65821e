"""How well a model reads: SQuAD questions over a few sentences, one of which answers."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.base import LanguageModel
from adapters.batch import Request
from adapters.generate import TextGenerator
from adapters.lora import Adapter, load_adapter
from adapters.training.squad import f1, same_words
from agent.lab.compose import asking, evidence_of
from agent.lab.sources import Article, Text
from pipelines.citations import without_marks
from pipelines.evidence import Evidence
from pipelines.phi3 import REFUSAL

_MOST_TOKENS = 48
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Case:
    """A question over numbered sentences.

    :param messages: The product's own prompt.
    :param accepted: Answers that are right; none where the sentences do not answer.
    :param place: Number of the sentence that answers, or 0.
    :param question: The question alone.
    :param evidence: What it is asked over.
    """

    messages: tuple[dict[str, str], ...]
    accepted: tuple[str, ...]
    place: int
    question: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of it, each from 0 to 1.

    :param asked: Questions with an answer, and without.
    :param f1: Of answers with one, SQuAD's F1 against the best accepted answer; a refusal is 0.
    :param exact: The same words, but for articles and punctuation.
    :param cited: Of those answered: the mark names the sentence that answers, and no other.
    :param refused: Of those without an answer.
    :param falsely_refused: Of those with one.
    """

    asked: tuple[int, int]
    f1: float
    exact: float
    cited: float
    refused: float
    falsely_refused: float


def cases(
    articles: Sequence[Article],
    *,
    passages: int = 3,
    whole: bool = False,
    most: int = 500,
    seed: int = 0,
) -> list[Case]:
    """Return questions over the sentence that answers among others of its paragraph.

    Where a paragraph has too few, those of others of its article stand in. Of a question
    without an answer, the sentence that only seems to answer is there.

    :param articles: As read from a SQuAD file.
    :param passages: Sentences shown.
    :param whole: Show whole paragraphs, of the same article, instead.
    :param most: Questions with an answer at most, and as many without.
    :param seed: Decides which questions, and the order of sentences.
    """
    chance = random.Random(seed)  # noqa: S311
    answered: list[Case] = []
    unanswered: list[Case] = []
    for article in articles:
        for number, text in enumerate(article.texts):
            others = [one for n, one in enumerate(article.texts) if n != number]
            for asked in text.asked:
                if not 0 <= asked.piece < len(text.pieces):
                    continue
                if whole:
                    shown = _paragraphs(text, others, passages, chance)
                    place = shown.index(" ".join(text.pieces)) + 1
                else:
                    shown = _among(text, asked.piece, others, passages, chance)
                    place = shown.index(text.pieces[asked.piece]) + 1
                evidence = tuple(evidence_of(text.title, sentence) for sentence in shown)
                messages = asking(asked.question, evidence)
                if asked.answer is None:
                    unanswered.append(Case(messages, (), 0, asked.question, evidence))
                else:
                    case = Case(messages, asked.accepted, place, asked.question, evidence)
                    answered.append(case)
    return [
        *chance.sample(answered, min(most, len(answered))),
        *chance.sample(unanswered, min(most, len(unanswered))),
    ]


def _among(
    text: Text, piece: int, others: Sequence[Text], passages: int, chance: random.Random
) -> list[str]:
    rest = [sentence for n, sentence in enumerate(text.pieces) if n != piece]
    chance.shuffle(rest)
    if len(rest) < passages - 1 and others:
        further = [s for one in chance.sample(others, min(3, len(others))) for s in one.pieces]
        rest += chance.sample(further, min(len(further), passages - 1 - len(rest)))
    shown = [text.pieces[piece], *rest[: passages - 1]]
    chance.shuffle(shown)
    return shown


def _paragraphs(
    text: Text, others: Sequence[Text], passages: int, chance: random.Random
) -> list[str]:
    chosen = [text, *chance.sample(others, min(len(others), passages - 1))]
    chance.shuffle(chosen)
    return [" ".join(one.pieces) for one in chosen]


def rows_of(tables: Sequence[Article], *, passages: int = 5, seed: int = 0) -> list[Case]:
    """Return look-ups in tables' rows: the row that answers among others of its table.

    :param tables: As :func:`agent.lab.sources.tables` reads them.
    :param passages: Rows shown, at most.
    :param seed: Decides which other rows, and their order.
    """
    chance = random.Random(seed)  # noqa: S311
    made = []
    for article in tables:
        for text in article.texts:
            for asked in text.asked:
                shown = _among(text, asked.piece, (), passages, chance)
                evidence = [evidence_of(text.title, row) for row in shown]
                place = shown.index(text.pieces[asked.piece]) + 1
                messages = asking(asked.question, evidence)
                made.append(Case(messages, (asked.answer or "",), place))
    return made


def replies(
    model: LanguageModel,
    asked: Sequence[Case],
    *,
    adapter: Adapter | None = None,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[str]:
    """Ask a model all of them and return what it says.

    :param model: The model.
    :param asked: The questions.
    :param adapter: Answered with it on.
    :param on_progress: Told how many are answered, and of how many.
    """
    generator, said = TextGenerator(model), []
    for first in range(0, len(asked), _AT_ONCE):
        requests = [
            Request(
                model.markup.render(list(case.messages)),
                max_new_tokens=_MOST_TOKENS,
                adapter=adapter,
            )
            for case in asked[first : first + _AT_ONCE]
        ]
        said += [one.text for one in generator.generate(requests)]
        on_progress(len(said), len(asked))
    return said


def scores(asked: Sequence[Case], said: Sequence[str]) -> Scores:
    """Return how well questions were answered.

    :param asked: The questions.
    :param said: The replies to them.
    """
    pairs = [(case, *_parsed(reply)) for case, reply in zip(asked, said, strict=True)]
    told = [pair for pair in pairs if pair[0].accepted]
    without = [pair for pair in pairs if not pair[0].accepted]
    return Scores(
        asked=(len(told), len(without)),
        f1=_mean([_best(f1, text, case.accepted) for case, text, _ in told]),
        exact=_mean([_best(same_words, text, case.accepted) for case, text, _ in told]),
        cited=_mean([marks == [case.place] for case, text, marks in told if text is not None]),
        refused=_mean([text is None for _, text, _ in without]),
        falsely_refused=_mean([text is None for _, text, _ in told]),
    )


def _best(measure: Callable[[str, str], float], text: str | None, accepted: Sequence[str]) -> float:
    """Return how well an answer meets the nearest accepted one; a refusal meets none."""
    return 0.0 if text is None else max(float(measure(text, gold)) for gold in accepted)


def adapter_at(folder: Path, model: LanguageModel) -> Adapter:
    """Return the adapter in a folder, for a model.

    :raises AdapterError: When there is none, or it is of another base.
    """
    decoder = model.decoder
    return load_adapter(
        folder,
        decoder.architecture,
        name=folder.name,
        device=decoder.device,
        dtype=decoder.dtype,
    )


def _parsed(reply: str) -> tuple[str | None, list[int]]:
    """Return the answer without its marks, None for a refusal, and the marks."""
    if REFUSAL in reply.casefold():
        return None, []
    return without_marks(reply)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
