"""Rounded matrices: close to the exact ones, and each row for itself."""

import pytest
import torch

from adapters import projections
from adapters.projections import FloatProjection, Int8Projection, Projection, int8_is_available


def product(projection: Projection, states: torch.Tensor) -> torch.Tensor:
    return projection(states, None)  # type: ignore[arg-type]


@pytest.fixture
def matrices() -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(2)
    weight = torch.randn(48, 96, generator=drawn) * torch.logspace(-2, 1, 48)[:, None]
    return weight, torch.randn(20, 96, generator=drawn)


@pytest.mark.skipif(not int8_is_available(), reason="no int8 products on this processor")
def test_int8_is_close_and_no_row_changes_another(
    matrices: tuple[torch.Tensor, torch.Tensor],
) -> None:
    weight, states = matrices
    projection = Int8Projection(weight)
    exact, found = product(FloatProjection(weight), states), product(projection, states)
    assert ((found - exact).norm(dim=0) / exact.norm(dim=0)).max() < 0.02
    beside_a_giant = torch.cat([states * 1e4, states])
    assert torch.equal(product(projection, beside_a_giant)[20:], found)
    assert torch.equal(torch.cat([product(projection, row[None]) for row in states]), found)
    assert product(projection, torch.zeros(2, 96)).eq(0).all()


@pytest.mark.skipif(not int8_is_available(), reason="no int8 products on this processor")
def test_int8_keeps_clear_of_overflow(
    matrices: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, states = matrices
    monkeypatch.setattr(projections, "overflows", lambda: True)
    exact, found = product(FloatProjection(weight), states), product(Int8Projection(weight), states)
    assert ((found - exact).norm(dim=0) / exact.norm(dim=0)).max() < 0.03
    # All at their greatest: what overflows first.
    ones = product(Int8Projection(torch.ones(16, 512)), torch.ones(1, 512))
    assert ones == pytest.approx(512, rel=0.01)


def test_nf4_is_close(matrices: tuple[torch.Tensor, torch.Tensor]) -> None:
    pytest.importorskip("bitsandbytes")
    from adapters.projections import Nf4Projection

    weight, states = matrices
    weight, states = weight.repeat(2, 2), states.repeat(1, 2)
    exact, found = product(FloatProjection(weight), states), product(Nf4Projection(weight), states)
    assert torch.nn.functional.cosine_similarity(found, exact).min() > 0.97
