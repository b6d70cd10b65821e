"""The one form of a benchmark's output: a table for people, a flat JSON object for machines."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path


def report(name: str, figures: Mapping[str, float | int | str], path: Path | None) -> None:
    """Print a benchmark's figures as a table and write them as JSON where asked.

    :param name: What was measured.
    :param figures: Figures by key.
    :param path: File for ``--json``; None for none.
    """
    print(f"\n{name} on {platform.processor() or platform.machine()}, {_cores()} cores")
    width = max(map(len, figures), default=0)
    for key, value in figures.items():
        shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
        print(f"  {key:<{width}}  {shown}")
    if path is not None:
        path.write_text(json.dumps(dict(figures), indent=1) + "\n", encoding="utf-8")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
