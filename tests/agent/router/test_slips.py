import random

import numpy as np

from agent.router.slips import noisy, slips_of
from agent.router.speller import Speller
from pipelines.embed.opening import open_embedder

QUESTIONS = ["how many vacation days are left", "what is my parking permit worth"]


def test_about_a_tenth_of_the_letters_slip_and_no_blank_is_lost() -> None:
    text = "where can the visitors of the northern building leave their bicycles " * 20
    slipped = noisy(text, random.Random(0))
    assert slipped != text
    assert slipped == noisy(text, random.Random(0))
    pairs = list(zip(text.split(), slipped.split(), strict=True))
    assert 0.3 < sum(one != other for one, other in pairs) / len(pairs) < 0.6


def test_slips_are_mended_before_they_are_learned_from() -> None:
    embedder = open_embedder("minilm")
    plain = embedder.embed_queries(QUESTIONS)
    near = []
    for speller in (Speller.of(QUESTIONS), Speller({})):
        slips = slips_of(QUESTIONS, embedder, speller)
        assert slips.of.tolist() == [0, 1]
        pairs = zip(slips.encodings, plain, strict=True)
        near.append(np.mean([one.vector @ other.vector for one, other in pairs]))
    assert near[0] > near[1] + 0.1


def test_of_many_questions_some_have_slips() -> None:
    embedder = open_embedder("minilm")
    slips = slips_of([f"{QUESTIONS[0]} {n}" for n in range(9)], embedder, Speller({}), most=4)
    assert (len(slips.encodings), len(set(slips.of.tolist()))) == (4, 4)
    assert slips.of.tolist() == sorted(slips.of)
