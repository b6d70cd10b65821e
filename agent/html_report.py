"""What reports have in common: one HTML file that can be opened anywhere, and its drawings."""

import html
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from agent.errors import ReportError
from agent.printable import one_line
from agent.router.statistics import Comparison, Values, reliability

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 370, 56, 24, 30, 48
_NEAR_THE_END, _NAME_WIDTH, _LINE = 0.75, 120, 13
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>
:root {{ --ground: #fff; --ink: #222; --soft: #5a5a5a; --line: #dcdcdc; --card: #f5f6f8;
 --blue: #1f5fa8; --warm: #b8501a }}
@media (prefers-color-scheme: dark) {{
:root {{ --ground: #16181c; --ink: #e8e8e8; --soft: #a9adb4; --line: #363a41; --card: #20242a;
 --blue: #7fb2ec; --warm: #f0935c }} }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; padding: 0 1.2em;
 max-width: 62em; color: var(--ink); background: var(--ground) }}
h1 {{ margin-bottom: 0 }}
h2 {{ margin: 2em 0 .4em; font-size: 1.25em }}
p {{ margin: .3em 0 .8em; max-width: 46em }}
p, small, th, caption {{ color: var(--soft) }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(12.5em, 1fr)); gap: .8em }}
.cards div {{ background: var(--card); border-radius: 8px; padding: .7em 1em }}
.cards b {{ display: block; font-size: 1.6em; line-height: 1.3 }}
.cards span, .cards small {{ display: block }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: .35em .8em; border-bottom: 1px solid var(--line); text-align: left;
 vertical-align: top }}
th {{ font-weight: 600 }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
.us td {{ font-weight: 600 }}
.question {{ min-width: 16em; overflow-wrap: anywhere }}
.right {{ background: color-mix(in srgb, var(--blue) var(--deep), var(--ground)) }}
.wrong {{ background: color-mix(in srgb, var(--warm) var(--deep), var(--ground)) }}
svg {{ max-width: 100%; height: auto }}
text {{ font-size: 12px; fill: var(--soft) }}
.grid {{ stroke: var(--line); fill: none }}
.bar {{ fill: var(--blue); fill-opacity: .75 }}
.even {{ stroke: var(--warm); stroke-width: 2; stroke-dasharray: 6 4 }}
.curve {{ stroke: var(--blue); stroke-width: 2; fill: none }}
.point {{ fill: var(--blue) }}
.other {{ fill: var(--warm) }}
.here {{ fill: none; stroke: var(--blue); stroke-width: 2.5 }}
.name {{ fill: var(--ink) }}
.also {{ fill: var(--warm); fill-opacity: .75 }}
.lines {{ display: grid; grid-template-columns: max-content 1fr max-content; gap: .5em .8em;
 max-width: 46em; align-items: center; margin: .8em 0 1.6em }}
.track {{ position: relative; display: flex; height: 1.6em; border-radius: 3px;
 background: var(--card) }}
.track span {{ overflow: hidden; text-align: center; font-size: .85em; line-height: 1.9 }}
.track i {{ position: absolute; top: 50%; height: 0; border-top: 2px solid var(--ink) }}
.key {{ display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 .9em;
 border-radius: 2px; vertical-align: -.1em }}
.first {{ background: color-mix(in srgb, var(--blue) 60%, var(--ground)) }}
.second {{ background: color-mix(in srgb, var(--warm) 60%, var(--ground)) }}
.third {{ background: color-mix(in srgb, var(--soft) 35%, var(--ground)) }}
.fourth {{ background: var(--card); outline: 1px solid var(--line) }}
code {{ overflow-wrap: anywhere }}
.ends {{ stroke: var(--ink); stroke-width: 1.5 }}
.verdict {{ font-size: 1.15em; color: var(--ink) }}
.asked {{ border-top: 1px solid var(--line); margin-top: 1.2em; padding-top: .8em }}
.asked table {{ width: 100% }}
.asked b, .asked td {{ overflow-wrap: anywhere }}
.said {{ white-space: pre-wrap }}
blockquote {{ margin: .4em 0; padding-left: .8em; border-left: 3px solid var(--line);
 white-space: pre-wrap; overflow-wrap: anywhere }}
summary {{ cursor: pointer; color: var(--soft) }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


def write_page(path: Path, title: str, body: Iterable[str]) -> None:
    """Write a report as one HTML file.

    :param title: Heads the page.
    :param body: Pieces of HTML, in which all text is escaped (:func:`text`).
    :raises ReportError: When it cannot be written.
    """
    try:
        path.write_text(_PAGE.format(title=text(title), body="\n".join(body)), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(f"cannot write {path}: {reason}") from None


def text(content: str) -> str:
    """Return a text as it may stand on one line of HTML."""
    return html.escape(one_line(content))


def cards(figures: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the figures that matter most: what each is, its value, and what it lies between."""
    yield '<div class="cards">'
    for label, value, between in figures:
        yield f"<div><span>{label}</span><b>{value}</b><small>{between}</small></div>"
    yield "</div>"


def table(names: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    """Yield a table; it scrolls where the page is too narrow."""
    yield '<div class="wide"><table>'
    yield "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr>"
    yield from rows
    yield "</table></div>"


def table_row(name: str, cells: Iterable[str], kind: str = "") -> str:
    """Return a row of numbers; one of the kind ``us`` stands out."""
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f'<tr class="{kind}"><td>{name}</td>{numbers}</tr>'


def difference(found: Comparison) -> list[str]:
    """Return two cells: by how many points one way is better, and in how many resamples."""
    points, low, high = (
        f"{100 * value:+.1f}" for value in (found.difference, found.low, found.high)
    )
    return [f"{points} <small>[{low} to {high}]</small>", f"{found.p_better:.0%}"]


def as_cost(value: float) -> str:
    """Return a cost as people read it."""
    return f"{value:.3g}"


def open_svg(title: str) -> str:
    """Return the start of a drawing."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{title}">'
    )


def across(low: float, high: float) -> Callable[[float], float]:
    """Return what gives the place from left to right of a value."""
    return lambda value: LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)


def up(low: float, high: float) -> Callable[[float], float]:
    """Return what gives the place from top to bottom of a value."""
    return lambda value: TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)


def label(x: float, y: float, content: str, anchor: str = "middle", kind: str = "") -> str:
    """Return a text in a drawing."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'


def axes(
    along: Sequence[float], upward: Sequence[float], names: tuple[str, str], bottom: float = 0.0
) -> Iterator[str]:
    """Yield the axes of a drawing of shares.

    :param along: What is marked from left to right; none to leave that to the caller.
    :param upward: What is marked from the bottom, which is at ``bottom``, to 1.
    :param names: Of both axes.
    """
    y = up(bottom, 1)
    for value in upward:
        yield f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        yield label(LEFT - 8, y(value) + 4, f"{value:.0%}", "end")
    for value in along:
        yield label(across(along[0], along[-1])(value), HEIGHT - BOTTOM + 18, f"{value:.3g}")
    yield label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, names[0])
    yield label(LEFT, TOP - 10, names[1], "end")


def from_nothing(most: float) -> list[float]:
    """Return what an axis from 0 to a value or somewhat more is marked with."""
    unit = _nice(most / 5 or 1.0)
    return [n * unit for n in range(max(1, math.ceil(most / unit - 1e-9)) + 1)]


def to_all(least: float) -> list[float]:
    """Return what an axis from a share or somewhat less to 1 is marked with."""
    bottom = min(0.8, math.floor(5 * least) / 5)
    step = 0.1 if bottom > 0.5 else 0.2
    return [bottom + n * step for n in range(round((1 - bottom) / step) + 1)]


def squares(marked: Mapping[str, tuple[float, float]], most: float, bottom: float) -> Iterator[str]:
    """Yield a square with its name for each way, named so that no two are written over another.

    :param marked: How right each way is, and what it costs.
    :param most: The cost at the right end.
    :param bottom: How right is at the lower end.
    """
    x, y = across(0, most), up(bottom, 1)
    last = (-math.inf, -math.inf)
    for name, (success, price) in sorted(marked.items(), key=lambda item: -item[1][0]):
        left, top = x(price), y(success)
        end = price > _NEAR_THE_END * most
        yield (
            f'<rect class="other" x="{left - 4:.1f}" y="{top - 4:.1f}" width="8" height="8">'
            f"<title>{text(name)}: {success:.1%} at {price:.3g}</title></rect>"
        )
        # Names of near squares would be written over each other.
        near = abs(left - last[0]) < _NAME_WIDTH
        last = (left, max(top + 4, last[1] + _LINE) if near else top + 4)
        side, anchor = (-9, "end") if end else (9, "start")
        yield label(left + side, last[1], text(name), anchor, "name")


def reliability_drawing(confidence: Values, correct: Values, title: str) -> Iterator[str]:
    """Yield a drawing of how right answers were over how sure, with the line where both agree.

    :param correct: How right each answer was, from 0 to 1.
    """
    marks = [n / 5 for n in range(6)]
    yield open_svg(title)
    yield from axes(marks, marks, ("confidence", "right"))
    x, y = across(0, 1), up(0, 1)
    for each in reliability(confidence, correct):
        left, width, top = x(each.low), x(each.high) - x(each.low), y(each.accuracy)
        said = f"sure {each.mean_confidence:.0%}, right {each.accuracy:.0%} of {each.count}"
        yield (
            f'<rect class="bar" x="{left + 2:.1f}" y="{top:.1f}" width="{width - 4:.1f}" '
            f'height="{y(0) - top:.1f}"><title>{said}</title></rect>'
        )
        yield label(left + width / 2, top - 5, str(each.count))
    yield f'<path class="even" d="M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}"/></svg>'


def _nice(value: float) -> float:
    """Return the next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= value * 0.999)
