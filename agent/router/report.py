"""What ``expert router eval`` found, as one HTML file that can be opened anywhere."""

import html
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from agent.errors import RouterError
from agent.printable import one_line
from agent.router.evaluation import Evaluation, Routed
from agent.router.statistics import Comparison, reliability

_MOST_WRONG = 200
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 560, 370, 56, 24, 30, 48
_NEAR_THE_END, _NAME_WIDTH, _LINE = 0.75, 120, 13
_DEEPEST = 45
_HEADLINES = {
    "right": "sent the wanted way",
    "success": "answered rightly",
    "mean_cost": "mean cost",
    "calibration_error": "calibration error",
    "auroc_out_of_scope": "AUROC of out of scope",
    "stage_2": "looked at the documents first",
    "latency_p50_ms": "time to choose, median",
    "latency_p95_ms": "time to choose, 95th percentile",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Router evaluation</title>
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
</style></head><body>
<h1>Router evaluation</h1>
{body}
</body></html>
"""


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Write an evaluation as one HTML file.

    Sections that need what is not known, such as each route's success, are left out.

    :raises RouterError: When it cannot be written.
    """
    sections = (_head, _routes, _comparison, _confusion, _reliability, _curve, _sent_wrong)
    body = "\n".join(part for section in sections for part in section(evaluation))
    try:
        path.write_text(_PAGE.format(body=body), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RouterError(f"cannot write {path}: {reason}") from None


def _head(evaluation: Evaluation) -> Iterator[str]:
    count, judged, tried = map(len, (evaluation.routed, evaluation.judged, evaluation.tried))
    yield (
        f"<p>Router {_text(evaluation.router_version)} on {count} questions: of {judged} the "
        f"wanted route is known, of {tried} what each route makes of it. In brackets: the 95 % "
        "bootstrap interval over the questions.</p>"
    )
    figures, intervals = evaluation.figures(), evaluation.intervals()
    yield '<div class="cards">'
    for name, label in _HEADLINES.items():
        if name in figures:
            value = _figure(name, figures[name])
            between = f"<small>{_between(name, intervals.get(name))}</small>"
            yield f"<div><span>{label}</span><b>{value}</b>{between}</div>"
    yield "</div>"


def _routes(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.judged:
        return
    figures, intervals = evaluation.figures(), evaluation.intervals()
    rows = []
    for route in evaluation.routes:
        pairs = evaluation.confusion().items()
        cells = [
            str(sum(count for pair, count in pairs if pair[place] == route)) for place in (0, 1)
        ]
        for name in (f"precision_{route}", f"recall_{route}"):
            known = name in figures
            value = _figure(name, figures[name]) if known else "–"
            cells.append(f"{value} <small>{_between(name, intervals.get(name))}</small>")
        rows.append(_row(_text(route), cells))
    yield "<h2>Routes</h2>"
    yield (
        "<p>Precision: how many of those sent this way wanted it. "
        "Recall: how many of those that wanted it were sent.</p>"
    )
    yield from _table(("route", "wanted", "taken", "precision", "recall"), rows)


def _comparison(evaluation: Evaluation) -> Iterator[str]:
    ours, oracle = evaluation.chosen(), evaluation.oracle()
    if ours is None or oracle is None:
        return
    others, compared = evaluation.fixed_routes(), evaluation.compared()
    rows = [_row("this router", [f"{ours[0]:.1%}", _cost(ours[1]), "", ""], "us")]
    for route, (success, cost) in others.items():
        cells = [f"{success:.1%}", _cost(cost), *_difference(compared[route])]
        rows.append(_row(f"always {_text(route)}", cells))
    cells = [f"{oracle[0]:.1%}", _cost(oracle[1]), *_difference(compared["oracle"])]
    rows.append(_row("oracle", cells))
    yield "<h2>Against fixed routes and the oracle</h2>"
    yield (
        "<p>The oracle takes the cheapest of the routes that do best with each question: no "
        "router can be more right. The difference is this router's success less the "
        "other's, over draws of the same questions.</p>"
    )
    yield from _table(("way", "success", "mean cost", "difference", "better in"), rows)


def _confusion(evaluation: Evaluation) -> Iterator[str]:
    counts, routes = evaluation.confusion(), evaluation.routes
    if not counts:
        return
    rows = []
    for wanted in routes:
        row = [counts.get((wanted, taken), 0) for taken in routes]
        cells = [
            f'<td class="n {"right" if taken == wanted else "wrong"}" '
            f'style="--deep:{_DEEPEST * count / max(sum(row), 1):.0f}%">{count}</td>'
            for taken, count in zip(routes, row, strict=True)
        ]
        rows.append(f'<tr><th scope="row">{_text(wanted)}</th>{"".join(cells)}</tr>')
    yield "<h2>Wanted and taken</h2>"
    yield "<p>Rows are the routes wanted, columns the routes taken.</p>"
    yield from _table(("wanted", *map(_text, routes)), rows)


def _reliability(evaluation: Evaluation) -> Iterator[str]:
    known = evaluation.confidences()
    if known is None:
        return
    yield "<h2>How far its confidence can be trusted</h2>"
    yield (
        "<p>A bar is how right the router was where it was about so sure; over it stands of "
        "how many questions. On the dashed line it would be exactly as right as it is sure.</p>"
    )
    yield _open_svg("Reliability: accuracy over confidence")
    yield from _axes([n / 5 for n in range(6)], [n / 5 for n in range(6)], ("confidence", "right"))
    x, y = _across(0, 1), _up(0, 1)
    for each in reliability(*known):
        left, width, top = x(each.low), x(each.high) - x(each.low), y(each.accuracy)
        said = f"sure {each.mean_confidence:.0%}, right {each.accuracy:.0%} of {each.count}"
        yield (
            f'<rect class="bar" x="{left + 2:.1f}" y="{top:.1f}" width="{width - 4:.1f}" '
            f'height="{y(0) - top:.1f}"><title>{said}</title></rect>'
        )
        yield _label(left + width / 2, top - 5, str(each.count))
    yield f'<path class="even" d="M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}"/></svg>'


def _curve(evaluation: Evaluation) -> Iterator[str]:
    ours, oracle = evaluation.chosen(), evaluation.oracle()
    if ours is None or oracle is None:
        return
    others = evaluation.fixed_routes()
    marked = {f"always {route}": place for route, place in others.items()} | {"oracle": oracle}
    curve = [(cost, success, price) for price, cost, success in evaluation.curve]
    here = (ours[1], ours[0])
    most = max(here[0], *(cost for _, cost in marked.values()), *(cost for cost, *_ in curve))
    unit = _nice(most / 5 or 1.0)
    across = [n * unit for n in range(max(1, math.ceil(most / unit - 1e-9)) + 1)]
    least = min(here[1], *(each for each, _ in marked.values()), *(point[1] for point in curve))
    bottom = min(0.8, math.floor(5 * least) / 5)
    step = 0.1 if bottom > 0.5 else 0.2
    up = [bottom + n * step for n in range(round((1 - bottom) / step) + 1)]
    x, y = _across(0, across[-1]), _up(bottom, 1)
    yield "<h2>Cost and success</h2>"
    yield (
        "<p>Each dot is this router at another price of a cost (λ, shown where the pointer "
        "rests); the ring is how it ran here. Squares are fixed routes and the oracle.</p>"
    )
    yield _open_svg("Success over mean cost")
    yield from _axes(across, up, ("mean cost", "success"), bottom)
    points = sorted(curve)
    if points:
        line = "L".join(f"{x(cost):.1f} {y(success):.1f}" for cost, success, _ in points)
        yield f'<path class="curve" d="M{line}"/>'
    for cost, success, price in points:
        said = f"λ {price:g}: {success:.1%} at {cost:.3g}"
        yield (
            f'<circle class="point" cx="{x(cost):.1f}" cy="{y(success):.1f}" r="4">'
            f"<title>{said}</title></circle>"
        )
    yield f'<circle class="here" cx="{x(here[0]):.1f}" cy="{y(here[1]):.1f}" r="8"/>'
    last = (-math.inf, -math.inf)
    for name, (success, cost) in sorted(marked.items(), key=lambda item: -item[1][0]):
        left, top = x(cost), y(success)
        end = cost > _NEAR_THE_END * across[-1]
        yield (
            f'<rect class="other" x="{left - 4:.1f}" y="{top - 4:.1f}" width="8" height="8">'
            f"<title>{_text(name)}: {success:.1%} at {cost:.3g}</title></rect>"
        )
        # Names of near squares would be written over each other.
        near = abs(left - last[0]) < _NAME_WIDTH
        last = (left, max(top + 4, last[1] + _LINE) if near else top + 4)
        side, anchor = (-9, "end") if end else (9, "start")
        yield _label(left + side, last[1], _text(name), anchor, "name")
    yield "</svg>"


def _sent_wrong(evaluation: Evaluation) -> Iterator[str]:
    wrong = evaluation.sent_wrong()
    yield f"<h2>Sent wrong: {len(wrong)}</h2>"
    if not wrong:
        return
    shown = wrong[:_MOST_WRONG]
    more = f" The first {len(shown)} are shown." if len(shown) < len(wrong) else ""
    yield f"<p>Those it was surest of come first.{more}</p>"
    names = ("question", "wanted", "taken", "confidence", "out of scope", "why")
    yield from _table(names, map(_wrong_row, shown))


def _wrong_row(one: Routed) -> str:
    cells = [_text(" or ".join(one.best)), _text(one.taken)]
    numbers = [f"{one.confidence:.2f}", f"{one.out_of_scope:.2f}"]
    why = "<br>".join(map(_text, one.reasons))
    return (
        f'<tr><td class="question">{_text(one.question)}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "".join(f'<td class="n">{cell}</td>' for cell in numbers)
        + f"<td>{why}</td></tr>"
    )


def _table(names: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    yield '<div class="wide"><table>'
    yield "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr>"
    yield from rows
    yield "</table></div>"


def _row(name: str, cells: Iterable[str], kind: str = "") -> str:
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f'<tr class="{kind}"><td>{name}</td>{numbers}</tr>'


def _difference(found: Comparison) -> list[str]:
    points, low, high = (
        f"{100 * value:+.1f}" for value in (found.difference, found.low, found.high)
    )
    return [f"{points} <small>[{low} to {high}]</small>", f"{found.p_better:.0%}"]


def _figure(name: str, value: float) -> str:
    if name.endswith("_ms"):
        return f"{value:.1f} ms"
    if name == "mean_cost":
        return _cost(value)
    return f"{value:.3f}" if name in ("calibration_error", "auroc_out_of_scope") else f"{value:.1%}"


def _between(name: str, ends: tuple[float, float] | None) -> str:
    return f"[{_figure(name, ends[0])} to {_figure(name, ends[1])}]" if ends else ""


def _cost(value: float) -> str:
    return f"{value:.3g}"


def _text(text: str) -> str:
    return html.escape(one_line(text))


def _open_svg(title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img" aria-label="{title}">'
    )


def _across(low: float, high: float) -> Callable[[float], float]:
    return lambda value: _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)


def _up(low: float, high: float) -> Callable[[float], float]:
    return lambda value: _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)


def _label(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _axes(
    across: Sequence[float], up: Sequence[float], names: tuple[str, str], bottom: float = 0.0
) -> Iterator[str]:
    x, y = _across(across[0], across[-1]), _up(bottom, 1)
    for value in up:
        yield f'<path class="grid" d="M{_LEFT} {y(value):.1f}H{_WIDTH - _RIGHT}"/>'
        yield _label(_LEFT - 8, y(value) + 4, f"{value:.0%}", "end")
    for value in across:
        yield _label(x(value), _HEIGHT - _BOTTOM + 18, f"{value:.3g}")
    yield _label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, names[0])
    yield _label(_LEFT, _TOP - 10, names[1], "end")


def _nice(value: float) -> float:
    """Return the next number of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= value * 0.999)
