"""Draw a training's losses: one HTML file with the drawing inside, to be opened anywhere."""

import html
import math
from collections.abc import Sequence
from pathlib import Path

from adapters.training.progress import read_log

PLOT_FILE = "loss.html"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 360, 56, 16, 16, 40
_SMOOTH = 0.9
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 2em; color: #222; background: #fff }}
svg {{ max-width: 100%; height: auto }}
text {{ font-size: 12px; fill: #555 }}
.grid {{ stroke: #e4e4e4 }}
.each {{ fill: none; stroke: #9db9d6; stroke-width: 1 }}
.smooth {{ fill: none; stroke: #1f5fa8; stroke-width: 2 }}
.held {{ fill: none; stroke: #c2571a; stroke-width: 2 }}
circle {{ fill: #c2571a }}
</style>
<h1>{title}</h1>
<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"
 aria-label="{title}">
{drawing}
</svg>
<p><span style="color:#1f5fa8">&#9632;</span> loss of the steps
 <span style="color:#c2571a">&#9632;</span> loss of the held-out examples</p>
</html>
"""
Point = tuple[float, float]


def draw(log: Path, target: Path, title: str) -> None:
    """Draw the losses of a log.

    :param log: See :class:`adapters.training.progress.Log`.
    :param target: The HTML file to write.
    :param title: Its heading.
    """
    lines = read_log(log)
    each = [(line["step"], line["loss"]) for line in lines if line["stage"] == "training"]
    held = [(line["step"], line["held_out_loss"]) for line in lines if line["stage"] == "measuring"]
    drawing = _drawing([p for p in each if math.isfinite(p[1])], held)
    target.write_text(
        _PAGE.format(title=html.escape(title), width=_WIDTH, height=_HEIGHT, drawing=drawing),
        encoding="utf-8",
    )


def _drawing(each: Sequence[Point], held: Sequence[Point]) -> str:
    points = [*each, *held]
    if not points:
        return ""
    last = max(1.0, *(step for step, _ in points))
    top = max(loss for _, loss in points) or 1.0
    unit = _nice(top / 5)
    top = unit * math.ceil(top / unit)

    def at(point: Point) -> Point:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * point[0] / last
        return x, _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - point[1] / top)

    parts = []
    for number in range(round(top / unit) + 1):
        y = at((0, number * unit))[1]
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number * unit:g}</text>'
        )
    step_unit = max(1.0, _nice(last / 6))
    for number in range(int(last / step_unit) + 1):
        x = at((number * step_unit, 0))[0]
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">'
            f"{number * step_unit:g}</text>"
        )
    parts.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 2}" text-anchor="middle">step</text>')
    parts += [_line("each", map(at, each)), _line("smooth", map(at, _smoothed(each)))]
    parts.append(_line("held", map(at, held)))
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(at, held)]
    return "\n".join(part for part in parts if part)


def _line(kind: str, points: "map[Point]") -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{path}"/>' if path else ""


def _smoothed(points: Sequence[Point]) -> list[Point]:
    smoothed, mean, weight = [], 0.0, 0.0
    for step, loss in points:
        mean, weight = _SMOOTH * mean + (1 - _SMOOTH) * loss, _SMOOTH * weight + 1 - _SMOOTH
        smoothed.append((step, mean / weight))
    return smoothed


def _nice(value: float) -> float:
    """Return the next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= value * 0.999)
