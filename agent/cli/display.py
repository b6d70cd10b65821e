"""How a hit looks on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from pipelines.search import Hit


def print_hit(console: Console, hit: "Hit", number: int | None = None) -> None:
    """Print a hit: where it stands, its score's parts, and the passage with its evidence."""
    head = Text(f"{number}. " if number else "")
    trail = [part for part in (hit.title, hit.headings) if part]
    if len(trail) == 2 and trail[1].startswith(trail[0]):
        trail = trail[1:]
    head.append(" > ".join(trail) or hit.document, style="bold")
    console.print(head)
    place = [hit.document]
    if hit.page is not None:
        place.append(f"page {hit.page}")
    if hit.meta.get("sheet"):
        place.append(f"sheet {hit.meta['sheet']}")
    if hit.meta.get("row") is not None:
        place.append(f"row {hit.meta['row']}")
    place.append(f"characters {hit.start}–{hit.end}")
    parts = [
        f"{name} {value:.3g}"
        for name, value in hit.meta.get("scores", {}).items()
        if isinstance(value, float | int)
    ]
    console.print(Text("   " + ", ".join(place), style="cyan"))
    if others := sorted({str(place["document"]) for place in hit.also_in} - {hit.document}):
        console.print(Text("   also in " + ", ".join(others), style="dim cyan"))
    console.print(Text(f"   score {hit.score:.3g} ({', '.join(parts)})", style="dim"))
    passage = Text(hit.text)
    for start, end in hit.evidence:
        passage.stylize("bold yellow", start, end)
    for line in passage.wrap(console, max(console.width - 6, 20)):
        console.print(Text("   │ ", style="dim") + line)
    console.print()
