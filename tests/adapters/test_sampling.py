"""The choice of a token, and where a text stops."""

import collections

import pytest
import torch

from adapters.errors import GenerationError
from adapters.sampling import Sampler, Sampling
from adapters.text_stream import TextStream

LOGITS = torch.tensor([0.1, 0.5, 0.3, 0.06, 0.04]).log()


def drawn(sampling: Sampling, count: int = 2000) -> dict[int, float]:
    sampler = Sampler(sampling)
    found = collections.Counter(sampler.choose(LOGITS, []) for _ in range(count))
    return {token: found[token] / count for token in found}


def test_without_temperature_the_likeliest_is_taken() -> None:
    assert drawn(Sampling()) == {1: 1.0}
    assert Sampler(Sampling()).is_greedy


def test_tokens_come_as_often_as_they_are_likely() -> None:
    found = drawn(Sampling(temperature=1.0, seed=4))
    for token, chance in enumerate((0.1, 0.5, 0.3, 0.06, 0.04)):
        assert found[token] == pytest.approx(chance, abs=0.03)
    cold = drawn(Sampling(temperature=0.5, seed=4))
    assert cold[1] == pytest.approx(0.25 / 0.3552, abs=0.03)


def test_top_p_keeps_the_likeliest_that_reach_it() -> None:
    assert set(drawn(Sampling(temperature=1.0, top_p=0.79, seed=1))) == {1, 2}
    assert set(drawn(Sampling(temperature=1.0, top_p=0.81, seed=1))) == {0, 1, 2}
    assert set(drawn(Sampling(temperature=1.0, top_p=0.01, seed=1))) == {1}


def test_what_was_said_becomes_less_likely() -> None:
    sampler = Sampler(Sampling(repetition_penalty=2.0))
    assert sampler.choose(LOGITS, [1, 1]) == 2
    assert not sampler.is_greedy


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"repetition_penalty": 0}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(GenerationError, match="temperature"):
        Sampling(**wrong)  # type: ignore[arg-type]


def test_nothing_of_a_stop_string_is_shown() -> None:
    from tokenizers import Tokenizer, decoders, models

    letters = {chr(code): code for code in range(128)}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    stream = TextStream(tokenizer, ["END", "\n\n"])
    shown = []
    for letter in "an ENEMY, an END of it":
        stream.add(ord(letter))
        shown.append(stream.new_text())
        if stream.stopped:
            break
    assert "".join(shown) == stream.text == "an ENEMY, an "
    assert "E" not in shown[:5]


def test_bytes_that_are_no_text_cost_nothing_but_themselves() -> None:
    from tokenizers import Tokenizer, decoders, models

    # As Phi-3's: what is in no word is written byte by byte.
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁so", "on"]
    tokenizer = Tokenizer(
        models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[], byte_fallback=True)
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )

    def text(*written: str) -> str:
        stream = TextStream(tokenizer, [])
        for word in written:
            stream.add(words.index(word))
        return stream.text

    assert text("on", "<0x0A>", "<0xE4>", "▁so", "on", "<0x0A>") == "on\n\ufffd soon\n"
    assert text("on", "<0x0A>", "<0xE4>", "<0x0A>", "on", "▁so") == "on\n\ufffd\non so"
    assert text("on", "<0x0A>", "<0xE4>", "<0xBD>", "<0xA0>", "▁so") == "on\n你 so"
