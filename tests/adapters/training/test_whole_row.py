"""One product over a row gives what its pieces give apart.

On a CPU it is not compiled, and can only go forwards.
"""

import torch

from adapters.chat_markup import ChatMarkup
from adapters.training.attention import attend
from adapters.training.examples import Example, Message
from adapters.training.render import IGNORED
from adapters.training.rows import collate, pack
from adapters.training.whole_row import attend_at_once, is_for

PIECES = [(40, 0), (7, 40), (30, 40), (1, 0), (90, 0), (25, 90), (12, 0)]


GPU = is_for(torch.device("cuda")) if torch.cuda.is_available() else False


def states():
    chance = torch.Generator().manual_seed(0)
    total = sum(length for length, _ in PIECES)
    return [torch.randn(1, heads, total, 16, generator=chance) for heads in (6, 2, 2)]


def test_it_gives_the_values_and_gradients_of_pieces_apart():
    for window in (None, 20):
        theirs = [part.requires_grad_() for part in states()]
        apart, _ = attend(
            torch.nn.Identity(), *theirs, None, pieces=PIECES, scaling=0.25, sliding_window=window
        )
        mine = [part.to("cuda").requires_grad_(GPU) if GPU else part for part in states()]
        at_once = attend_at_once(*mine, PIECES, window=window, scale=0.25).transpose(1, 2)
        # A GPU's products of fp32 may be of fewer digits.
        close = {"rtol": 2e-2, "atol": 5e-3} if GPU else {}
        torch.testing.assert_close(at_once.cpu(), apart.detach(), **close)
        if GPU:
            at_once.square().sum().backward()
            apart.square().sum().backward()
            for one, other in zip(mine, theirs, strict=True):
                torch.testing.assert_close(one.grad.cpu(), other.grad, **close)


def test_a_processor_attends_piece_by_piece():
    assert not is_for(torch.device("cpu"))


def test_rows_are_filled_with_what_nothing_is_learned_from(small_model):
    _, folder = small_model("plain")
    examples = [
        Example((Message("user", "q" * n), Message("assistant", "a" * 3)), n) for n in range(1, 30)
    ]
    plain = pack(examples, ChatMarkup(folder), 100, 128)
    filled = pack(examples, ChatMarkup(folder), 100, 128, multiple=64)
    assert filled.tokens == plain.tokens
    assert filled.longest == 128
    for row, before in zip(filled.dataset, plain.dataset, strict=True):
        length = len(before["input_ids"])
        assert len(row["input_ids"]) % 64 == 0
        assert collate([row])["tokens"] == collate([before])["tokens"] == length
        assert row["input_ids"][:length] == before["input_ids"]
        assert set(row["labels"][length:]) <= {IGNORED}
        assert sum(row["lengths"]) == len(row["input_ids"])
