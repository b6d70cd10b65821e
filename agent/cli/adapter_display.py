"""How adapters, their cards and what is different between them look on a terminal."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.printable import one_line, to_json

if TYPE_CHECKING:
    from adapters.card import AdapterCard
    from adapters.differences import Differences
    from adapters.registry import RegisteredAdapter
    from agent.freshness import Freshness

HEADS = ("  name", "version", "domain", "base", "examples", "metrics", "fresh", "size", "date")
_SHOWN = 20


def card_facts(adapter: "RegisteredAdapter", fresh: "Freshness | None") -> dict[str, Any]:
    """Return what programs are told of an adapter."""
    card = adapter.card
    return {
        "name": adapter.name,
        "version": adapter.version,
        "domain": card.domain,
        "description": card.description,
        "base": card.base.model_dump(),
        "method": card.method,
        "rank": card.rank,
        "examples": card.examples,
        "metrics": card.metrics,
        "bytes": card.size,
        "created": card.created.isoformat(),
        "path": str(adapter.folder),
        "stale": fresh.stale if fresh else None,
        "changed_documents": fresh.changed if fresh else (),
        "missing_documents": fresh.missing if fresh else (),
    }


def row(adapter: "RegisteredAdapter", fresh: "Freshness | None", current: bool) -> tuple[str, ...]:
    """Return an adapter's cells in a list. See ``HEADS``."""
    card = adapter.card
    return (
        f"{'*' if current else ' '} {adapter.name}",
        str(adapter.version),
        one_line(card.domain) or "–",
        _model_name(card),
        "–" if card.examples is None else f"{card.examples:,}",
        _metric(card) or "–",
        _percent(fresh),
        f"{card.size / 1e6:.1f} MB",
        f"{card.created:%Y-%m-%d}",
    )


def _model_name(card: "AdapterCard") -> str:
    # Of a folder its own name is enough where there is little room.
    name = Path(card.base.name)
    return one_line(name.name if name.is_absolute() else card.base.name)


def _metric(card: "AdapterCard") -> str:
    known = card.before_and_after()
    return f"{one_line(known[0])} {known[1]:.3g} → {known[2]:.3g}" if known else ""


def _percent(fresh: "Freshness | None") -> str:
    return "–" if fresh is None else f"{100 * (1 - fresh.stale):.0f} %"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells as columns, none of them cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_card(adapter: "RegisteredAdapter", fresh: "Freshness | None") -> None:
    """Print what is known of an adapter."""
    card = adapter.card
    click.echo(f"{adapter.reference}: {one_line(card.description) or 'no description'}")
    revision = f", revision {one_line(card.base.revision)[:12]}" if card.base.revision else ""
    lines = {
        "domain": card.domain,
        "base": f"{card.base.name}{revision}, fingerprint {card.base.fingerprint[:12]}",
        "method": f"{card.method}, rank {card.rank}, alpha {card.alpha:g} ({card.origin})",
        "hyper-parameters": _pairs(card.hyperparameters.items()),
        "examples": "" if card.examples is None else f"{card.examples:,}",
        "data": (card.data_sha256 or "")[:12],
        "metrics": _pairs((name, f"{value:.4g}") for name, value in sorted(card.metrics.items())),
        "made with": _pairs(card.versions.items()),
        "created": f"{card.created:%Y-%m-%d %H:%M} UTC",
        "size": f"{card.size / 1e6:.1f} MB",
        "learned from": f"{len(card.sources)} documents" if card.sources else "",
        "fresh": _percent(fresh) if fresh else "",
        "changed since": _some(fresh.changed) if fresh else "",
        "not in the index": _some(fresh.missing) if fresh else "",
    }
    for name, text in lines.items():
        if text:
            click.echo(f"  {name}: {one_line(text)}")


def print_differences(first: str, second: str, found: "Differences") -> None:
    """Print what is different between two cards."""
    click.echo(f"{first} → {second}")
    for key, (before, after) in found.fields.items():
        click.echo(f"  {one_line(key)}: {_value(before)} → {_value(after)}")
    for sign, names in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for name in names:
            click.echo(f"  {sign} {one_line(name)}")
    if not (found.fields or found.added or found.removed or found.changed):
        click.echo("  the cards say the same")


def _value(value: Any) -> str:
    return "–" if value is None else one_line(value if isinstance(value, str) else to_json(value))


def _pairs(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in items)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
