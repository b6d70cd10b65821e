"""Training with sources: examples become questions over numbered passages, as asked later.

After RAFT (Zhang et al. 2024, arXiv 2403.10131): the passage that holds the answer stands
among others that do not, and in a share of the examples it is missing. There the paper still
trains the answer, so that it is learned by heart. Here the model learns to say that the
sources do not answer, since this product takes an answer without its source for none.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from haystack import Document

from adapters.training.examples import Example, Message, TrainingData
from adapters.training.sameness import content_words, has_digit, normalised
from pipelines.evidence import Evidence
from pipelines.phi3 import REFUSAL, prompt
from pipelines.search import Hit, retrieve
from pipelines.split import passage_context

if TYPE_CHECKING:
    from haystack import Pipeline

# As the prompt asks for it.
REFUSES = "Not in the sources."
# Of an answer's words a passage holds at least so many where it is the one that answers,
# and fewer than so many where it is safe to say that it does not.
_HOLDS, _LACKS = 0.8, 0.5
# A shorter answer must stand in a passage as it is, near the question's words.
_FEWEST_WORDS = 3
_STEM = 6
_MARK = re.compile(r"\s*\[(\d{1,3})(?:\s*[,;]\s*\d{1,3})*\]")
Search = Callable[[str], Sequence[Evidence]]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which passages examples are trained with.

    :param distractors: Passages beside the one that answers, at most.
    :param gold_share: Share of the examples that have the passage that answers.
    :param characters: Length of an example's passages together; more are left away, as is
        done with evidence when a question is asked. The one that answers always stays.
    :param seed: Decides the order of passages, and which examples lack theirs.
    """

    distractors: int = 3
    gold_share: float = 0.8
    characters: int = 1600
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Grounded:
    """Training data with its passages.

    :param data: The examples as they are trained on.
    :param answering: Lines of those whose passages hold the answer.
    :param refusing: Lines of those whose passages do not, and that learn to say so.
    """

    data: TrainingData
    answering: frozenset[int]
    refusing: frozenset[int]

    @property
    def with_gold(self) -> int:
        """Number of examples whose passages hold the answer."""
        return sum(example.line in self.answering for example in self.data.examples)

    @property
    def without_gold(self) -> int:
        """Number of examples that learn to say that their passages do not."""
        return sum(example.line in self.refusing for example in self.data.examples)

    @property
    def closed_book(self) -> int:
        """Number of examples that stay without passages."""
        return len(self.data.examples) - self.with_gold - self.without_gold


@dataclass(frozen=True, slots=True)
class _Found:
    gold: Evidence | None
    others: tuple[Evidence, ...]


def searcher(pipeline: "Pipeline") -> Search:
    """Return a search that gives whole passages of the index, best first.

    :param pipeline: The retrieval pipeline.
    """
    return lambda question: [_evidence(hit) for hit in retrieve(pipeline, question).hits]


def ground(
    data: TrainingData,
    search: Search | None = None,
    mixture: Mixture | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Grounded:
    """Give examples the passages that they are to answer from.

    Conversations, and examples for which no passage holds the answer, stay as they are.

    :param data: The examples.
    :param search: Finds passages for a question, best first; None to use what the rows bring
        as ``context``, all of it and in its order.
    :param mixture: Which passages to take; the default where it is None.
    :param on_progress: Told how many examples are done.
    """
    mixture = mixture or Mixture()
    made: dict[int, Example] = {}
    found: dict[int, _Found] = {}
    for done, example in enumerate(data.examples, 1):
        if example.has_one_question and search is None and example.context:
            made[example.line] = _with_all(example)
        elif example.has_one_question and search is not None:
            passages = _look_up(example, search)
            if passages.gold is not None or (passages.others and _refuses(example.answer)):
                found[example.line] = passages
        on_progress(done)
    # Where nothing else was found there is nothing to ask over without the right passage.
    choice = sorted(line for line, passages in found.items() if passages.gold and passages.others)
    chance = random.Random(mixture.seed)  # noqa: S311
    lacking = set(chance.sample(choice, round((1 - mixture.gold_share) * len(choice))))
    for example in data.examples:
        if example.line in found:
            passages = found[example.line]
            if example.line in lacking:
                passages = replace(passages, gold=None)
            made[example.line] = _mixed(example, passages, mixture)
    refusing = frozenset(line for line, example in made.items() if _refuses(example.answer))
    examples = tuple(made.get(example.line, example) for example in data.examples)
    return Grounded(replace(data, examples=examples), frozenset(made) - refusing, refusing)


def _look_up(example: Example, search: Search) -> _Found:
    """Return the passage that answers and others that do not, best first."""
    hits = list(search(example.question))
    given = [_passage(text) for text in example.context]
    if _refuses(example.answer):
        return _Found(None, tuple(given or hits))
    gold = _named(example.answer, given) if given else _gold(example, hits)
    if gold is None:
        # The answer's own words find a passage that the question's do not.
        further = search(f"{example.question} {example.answer}")
        gold = _gold(example, further)
        known = {hit.passage for hit in hits}
        hits += [hit for hit in further if hit.passage not in known]
    answer = _MARK.sub("", example.answer)
    others = [p for p in (*given, *hits) if p is not gold and _share(answer, p.text) < _LACKS]
    return _Found(gold, tuple(others))


def _gold(example: Example, passages: Sequence[Evidence]) -> Evidence | None:
    """Return the passage found that holds the answer, in the documents that the row names."""
    if example.sources:
        passages = [passage for passage in passages if passage.document in example.sources]
    answer = _MARK.sub("", example.answer)
    words = content_words(answer) - {"yes", "no"}
    if not words:
        return None
    if len(words) < _FEWEST_WORDS:
        passages = [p for p in passages if _held(example.question, p) >= _LACKS]
    # The first of the best: passages come in the order of the search.
    best = max(passages, key=lambda p: _share(answer, p.text), default=None)
    return best if best is not None and _share(answer, best.text) >= _HOLDS else None


def _named(answer: str, given: Sequence[Evidence]) -> Evidence:
    """Return which of a row's own passages answers: the one marked, or most like the answer."""
    mark = _MARK.search(answer)
    if mark is not None and 0 < int(mark[1]) <= len(given):
        return given[int(mark[1]) - 1]
    return max(given, key=lambda p: _share(_MARK.sub("", answer), p.text, least=0))


def _with_all(example: Example) -> Example:
    """Return an example over its own passages, as they stand."""
    given = [_passage(text) for text in example.context]
    answer = example.answer
    if _refuses(answer):
        answer = REFUSES
    elif _MARK.search(answer) is None:
        gold = _named(answer, given)
        answer = f"{answer} [{next(n for n, p in enumerate(given, 1) if p is gold)}]"
    return _over(example, given, answer)


def _mixed(example: Example, found: _Found, mixture: Mixture) -> Example:
    """Return an example over the passage that answers, if any, among others."""
    chosen = [found.gold] if found.gold is not None else []
    room = mixture.characters - sum(len(passage.text) for passage in chosen)
    for passage in found.others:
        if len(chosen) > mixture.distractors:
            break
        # Whatever its length, one must stand there.
        if len(passage.text) <= room or not chosen:
            chosen.append(passage)
            room -= len(passage.text)
    # Of its own seed: what is left out elsewhere changes nothing here.
    random.Random(f"{mixture.seed} {example.question}").shuffle(chosen)  # noqa: S311
    if found.gold is None:
        return _over(example, chosen, REFUSES)
    number = next(n for n, passage in enumerate(chosen, 1) if passage is found.gold)
    answer = f"{_MARK.sub('', example.answer).rstrip()} [{number}]"
    sources = {*example.sources, found.gold.document} - {""}
    return replace(_over(example, chosen, answer), sources=tuple(sorted(sources)))


def _over(example: Example, passages: Sequence[Evidence], answer: str) -> Example:
    asked = prompt(example.question, list(passages))
    messages = [Message(message.role.value, message.text or "") for message in asked]
    return replace(example, messages=(*messages, Message("assistant", answer)), context=())


def _refuses(answer: str) -> bool:
    return REFUSAL in answer.casefold()


def _held(question: str, passage: Evidence) -> float:
    return _share(question, f"{passage.context} {passage.text}", least=0)


def _share(said: str, text: str, *, least: int = _FEWEST_WORDS) -> float:
    """Return how much of what is said a text holds; of few words it must hold the phrase."""
    phrase, words = normalised(said), content_words(said)
    held, stems = _words_in(text)
    if f" {phrase} " in held:
        return 1.0
    if len(words) < max(least, 1) or any(has_digit(w) and w not in stems for w in words):
        return 0.0
    return sum(_stem(word) in stems for word in words) / len(words)


@lru_cache(maxsize=4096)
def _words_in(text: str) -> tuple[str, frozenset[str]]:
    words = normalised(text)
    return f" {words} ", frozenset(_stem(word) for word in words.split())


def _stem(word: str) -> str:
    return word if has_digit(word) else word[:_STEM]


def _passage(text: str) -> Evidence:
    return Evidence("", "", None, "", 0, len(text), None, text, 1.0)


def _evidence(hit: Hit) -> Evidence:
    about = {"document": hit.document, "title": hit.title, "headings": hit.headings}
    # What a passage stands under is written as it is when a question is asked.
    context = passage_context(Document(content=hit.text, meta={**hit.meta, **about}))
    return Evidence(
        hit.document,
        hit.passage,
        hit.title,
        context,
        hit.start,
        hit.end,
        hit.page,
        hit.text,
        hit.score,
    )
