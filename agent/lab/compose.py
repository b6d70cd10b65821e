"""Make what the lab model learns reading from: questions over evidence as the product gives it.

All questions about a text are asked over the same evidence, so that training reads it once.
What the evidence happens to hold is answered and cited; what it lacks, though it stands in
the next sentence, is refused. So are questions that were written to mislead, and ones that
:mod:`agent.lab.mislead` made of those that are answered.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.lab.mislead import misled
from agent.lab.sources import WORD, Article, Text
from agent.training_context import REFUSES
from pipelines.evidence import Evidence
from pipelines.phi3 import prompt

# Evidence of a question, in characters: about what the product shows of it.
_MOST = 1500
_STRETCH = (150, 520)
_TITLED = 0.8
# How often evidence is single sentences; else it is stretches of several.
_SINGLE = 0.55
_SWAPPED = 0.4
# How often a sentence that answers is left for last, and so mostly left out.
_LEFT = 0.18
# Refusals for each answer, at most; where there are fewer answers, this many.
_REFUSED, _LEAST_REFUSED = 0.6, 1
_UNTOLD = frozenset(["what", "which", "who", "whom", "whose", "when", "where", "why", "how"])


@dataclass(frozen=True, slots=True)
class Row:
    """One question over evidence, with the answer wanted.

    :param kind: The set it is from, ``swapped`` and ``elsewhere`` for questions made by rule.
    :param messages: The product's own prompt, and the answer as the last turn.
    """

    kind: str
    messages: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """Evidence of a text.

    :param evidence: What is shown, numbered from 1.
    :param places: Where a piece of the text stands: its index, and the evidence's number.
    """

    evidence: tuple[Evidence, ...]
    places: dict[int, int]

    @property
    def words(self) -> str:
        """All that is shown, in lower case."""
        return " ".join(f"{one.context} {one.text}" for one in self.evidence).lower()


def rows(article: Article, chance: random.Random) -> Iterator[list[Row]]:
    """Yield for each of an article's texts the rows about it, all over the same evidence.

    :param chance: Decides what is shown and how questions are worded.
    """
    for number, text in enumerate(article.texts):
        if text.asked and text.pieces:
            shown = show(article, number, chance)
            yield list(_over(article, text, shown, chance))


def show(article: Article, number: int, chance: random.Random) -> Shown:
    """Return evidence as it might be found for a text: some of it, among others of its article.

    :param number: The text's index.
    """
    text = article.texts[number]
    single = chance.random() < _SINGLE or article.kind in ("tables", "studies")
    answering = sorted({one.piece for one in text.asked if one.piece >= 0})
    wanted = {n for n in answering if len(answering) == 1 or chance.random() >= _LEFT}
    titled = chance.random() < _TITLED
    stretches: list[tuple[str, str, tuple[int, ...]]] = []
    room, most = _MOST, chance.randint(1, 6)
    order = sorted(range(len(text.pieces)), key=lambda n: (n not in wanted, chance.random()))
    taken: set[int] = set()
    for piece in order:
        if piece in taken or len(stretches) >= most:
            continue
        at = (piece,) if single else _stretch(text.pieces, piece, taken, chance)
        words = " ".join(text.pieces[n] for n in at)
        if len(words) > room and stretches:
            break
        taken.update(at)
        room -= len(words)
        stretches.append((text.title, words, at))
    for other in _others(article, number, chance):
        if len(stretches) >= most:
            break
        piece = chance.randrange(len(other.pieces))
        at = (piece,) if single else _stretch(other.pieces, piece, set(), chance)
        words = " ".join(other.pieces[n] for n in at)
        if len(words) <= room:
            room -= len(words)
            stretches.append((other.title, words, ()))
    chance.shuffle(stretches)
    places = {n: place for place, (_, _, at) in enumerate(stretches, 1) for n in at}
    evidence = tuple(evidence_of(title if titled else "", words) for title, words, _ in stretches)
    return Shown(evidence, places)


def _stretch(
    pieces: Sequence[str], at: int, taken: set[int], chance: random.Random
) -> tuple[int, ...]:
    """Return a piece with neighbours that are free, up to a random length."""
    first = last = at
    wanted = chance.randrange(*_STRETCH)
    while sum(len(piece) for piece in pieces[first : last + 1]) < wanted:
        free = [n for n in (first - 1, last + 1) if 0 <= n < len(pieces) and n not in taken]
        if not free:
            break
        beside = chance.choice(free)
        first, last = min(first, beside), max(last, beside)
    return tuple(range(first, last + 1))


def _others(article: Article, number: int, chance: random.Random) -> Iterator[Text]:
    """Yield other texts of the article, each once, those most alike more often first."""
    mine = set(WORD.findall(" ".join(article.texts[number].pieces).lower()))
    rest = [text for n, text in enumerate(article.texts) if n != number and text.pieces]
    chosen = chance.sample(rest, min(len(rest), 8))
    alike = {text: len(mine & set(WORD.findall(" ".join(text.pieces).lower()))) for text in chosen}
    yield from sorted(chosen, key=lambda text: -alike[text] * chance.random())


def _over(article: Article, text: Text, shown: Shown, chance: random.Random) -> Iterator[Row]:
    held = shown.words
    told = tuple(one.text for one in shown.evidence)
    answered, refused, misleading = [], [], []
    for asked in text.asked:
        place = shown.places.get(asked.piece)
        if asked.answer is None:
            misleading.append((article.kind, asked.question))
        elif place is not None:
            answered.append((asked, place))
            if article.kind in ("squad", "squad2") and chance.random() < _SWAPPED:
                changed = misled(asked, article, text.pieces[asked.piece], told, chance)
                if changed is not None:
                    refused.append(("swapped", changed))
        elif article.kind not in ("studies", "topics") and asked.answer.lower() not in held:
            refused.append((article.kind, asked.question))
    for asked, place in answered:
        question = typed(reworded(asked.question, held, chance), chance)
        answer = str(asked.answer).rstrip() if article.kind == "topics" else _bare(asked.answer)
        yield Row(article.kind, over(question, shown.evidence, f"{answer} [{place}]"))
    most = max(_LEAST_REFUSED, round(_REFUSED * len(answered)) - len(misleading))
    # Few there are that were written to mislead.
    for kind, question in [*misleading, *chance.sample(refused, min(most, len(refused)))]:
        yield Row(kind, over(typed(question, chance), shown.evidence, REFUSES))


def _bare(answer: str | None) -> str:
    return " ".join((answer or "").split()).rstrip(" ,;:")


def asking(question: str, evidence: Sequence[Evidence]) -> tuple[dict[str, str], ...]:
    """Return the product's prompt, as messages.

    :param question: The question.
    :param evidence: What it is answered from.
    """
    asked = prompt(question, list(evidence))
    return tuple({"role": message.role.value, "content": message.text or ""} for message in asked)


def over(question: str, evidence: Sequence[Evidence], answer: str) -> tuple[dict[str, str], ...]:
    """Return the product's prompt with an answer, as messages.

    :param question: The question.
    :param evidence: What it is answered from.
    :param answer: The answer, with its mark.
    """
    return (*asking(question, evidence), {"role": "assistant", "content": answer})


def reworded(question: str, held: str, chance: random.Random) -> str:
    """Return a question, now and then without some of the words that the evidence has too.

    :param question: The question.
    :param held: What is shown, in lower case.
    """
    if chance.random() >= 0.2:
        return question
    words = question.split()
    shared = set(WORD.findall(held))
    kept = [
        word
        for word in words
        if len(word) < 4
        or word.lower() in _UNTOLD
        or word.lower().strip("?,.'\"()") not in shared
        or chance.random() < 0.6
    ]
    return " ".join(kept) if 2 * len(kept) > len(words) else question


def typed(question: str, chance: random.Random) -> str:
    """Return a question as people type them: at times without its mark, or in lower case.

    :param question: The question.
    """
    question = " ".join(question.split())
    if chance.random() < 0.2:
        question = question.rstrip("?").rstrip()
    if chance.random() < 0.15:
        question = question.lower()
    return question


def evidence_of(title: str, text: str) -> Evidence:
    """Return a text as evidence, as the product shows it under a title."""
    return Evidence("", "", title, title, 0, len(text), None, text, 1.0)
