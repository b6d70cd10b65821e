"""Questions once more with slips of the finger: what is left of them, once words are mended."""

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from agent.router.speller import Speller, reads_whole
from pipelines.embed.embedder import Embedder, QueryEncoding

# Questions that have slips, where heads alone are learned and where layers are tuned: mending
# 20,000 takes a quarter of a minute.
MOST_UNTUNED, MOST_TUNED = 10_000, 50_000


@dataclass(frozen=True, slots=True)
class Slips:
    """Questions with slips, to learn from beside those without.

    :param encodings: The questions.
    :param of: int64 [n]: which of the questions without slips each is.
    """

    encodings: Sequence[QueryEncoding]
    of: np.ndarray


def slips_of(
    texts: Sequence[str],
    embedder: Embedder,
    speller: Speller,
    *,
    most: int | None = None,
    seed: int = 0,
) -> Slips:
    """Return questions with slips, mended as far as can be.

    :param speller: Mends the words of a question, as is done before one is looked at.
    :param most: Of how many questions at most; None for all.
    :param seed: Decides which, and the slips.
    """
    chance = random.Random(seed)  # noqa: S311
    places: Sequence[int] = range(len(texts))
    if most is not None and most < len(texts):
        places = sorted(chance.sample(places, most))
    is_word = partial(reads_whole, embedder)
    mended = [speller.mend(noisy(texts[place], chance), is_word=is_word) for place in places]
    return Slips(embedder.embed_queries(mended), np.array(places, dtype=np.int64))


def noisy(text: str, chance: random.Random, share: float = 0.1) -> str:
    """Return a text with slips of the finger in a share of its letters."""
    made: list[str] = []
    for letter in text:
        if letter == " " or chance.random() >= share:
            made.append(letter)
            continue
        slip = chance.randrange(4)
        if slip == 1:
            made.append(chance.choice(string.ascii_lowercase))
        elif slip == 2:
            made += [letter, chance.choice(string.ascii_lowercase)]
        elif slip == 3 and made:
            made.insert(-1, letter)
    return "".join(made)
