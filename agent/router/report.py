"""What ``expert router eval`` found, as one HTML file that can be opened anywhere."""

from collections.abc import Iterator
from pathlib import Path

from agent.html_report import (
    across,
    as_cost,
    axes,
    cards,
    difference,
    from_nothing,
    open_svg,
    reliability_drawing,
    squares,
    table,
    table_row,
    text,
    to_all,
    up,
    write_page,
)
from agent.router.evaluation import Evaluation, Routed

_MOST_WRONG = 200
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


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Write an evaluation as one HTML file.

    Sections that need what is not known, such as each route's success, are left out.

    :raises ReportError: When it cannot be written.
    """
    sections = (_head, _routes, _comparison, _confusion, _reliability, _curve, _sent_wrong)
    body = (part for section in sections for part in section(evaluation))
    write_page(path, "Router evaluation", body)


def _head(evaluation: Evaluation) -> Iterator[str]:
    count, judged, tried = map(len, (evaluation.routed, evaluation.judged, evaluation.tried))
    yield (
        f"<p>Router {text(evaluation.router_version)} on {count} questions: of {judged} the "
        f"wanted route is known, of {tried} what each route makes of it. In brackets: the 95 % "
        "bootstrap interval over the questions.</p>"
    )
    figures, intervals = evaluation.figures(), evaluation.intervals()
    yield from cards(
        (said, _figure(name, figures[name]), _between(name, intervals.get(name)))
        for name, said in _HEADLINES.items()
        if name in figures
    )


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
        rows.append(table_row(text(route), cells))
    yield "<h2>Routes</h2>"
    yield (
        "<p>Precision: how many of those sent this way wanted it. "
        "Recall: how many of those that wanted it were sent.</p>"
    )
    yield from table(("route", "wanted", "taken", "precision", "recall"), rows)


def _comparison(evaluation: Evaluation) -> Iterator[str]:
    ours, oracle = evaluation.chosen(), evaluation.oracle()
    if ours is None or oracle is None:
        return
    others, compared = evaluation.fixed_routes(), evaluation.compared()
    rows = [table_row("this router", [f"{ours[0]:.1%}", as_cost(ours[1]), "", ""], "us")]
    for route, (success, cost) in others.items():
        cells = [f"{success:.1%}", as_cost(cost), *difference(compared[route])]
        rows.append(table_row(f"always {text(route)}", cells))
    cells = [f"{oracle[0]:.1%}", as_cost(oracle[1]), *difference(compared["oracle"])]
    rows.append(table_row("oracle", cells))
    yield "<h2>Against fixed routes and the oracle</h2>"
    yield (
        "<p>The oracle takes the cheapest of the routes that do best with each question: no "
        "router can be more right. The difference is this router's success less the "
        "other's, over draws of the same questions.</p>"
    )
    yield from table(("way", "success", "mean cost", "difference", "better in"), rows)


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
        rows.append(f'<tr><th scope="row">{text(wanted)}</th>{"".join(cells)}</tr>')
    yield "<h2>Wanted and taken</h2>"
    yield "<p>Rows are the routes wanted, columns the routes taken.</p>"
    yield from table(("wanted", *map(text, routes)), rows)


def _reliability(evaluation: Evaluation) -> Iterator[str]:
    known = evaluation.confidences()
    if known is None:
        return
    yield "<h2>How far its confidence can be trusted</h2>"
    yield (
        "<p>A bar is how right the router was where it was about so sure; over it stands of "
        "how many questions. On the dashed line it would be exactly as right as it is sure.</p>"
    )
    yield from reliability_drawing(*known, "Reliability: accuracy over confidence")


def _curve(evaluation: Evaluation) -> Iterator[str]:
    ours, oracle = evaluation.chosen(), evaluation.oracle()
    if ours is None or oracle is None:
        return
    others = evaluation.fixed_routes()
    marked = {f"always {route}": place for route, place in others.items()} | {"oracle": oracle}
    curve = [(cost, success, price) for price, cost, success in evaluation.curve]
    here = (ours[1], ours[0])
    most = max(here[0], *(cost for _, cost in marked.values()), *(cost for cost, *_ in curve))
    along = from_nothing(most)
    least = min(here[1], *(each for each, _ in marked.values()), *(point[1] for point in curve))
    upward = to_all(least)
    x, y = across(0, along[-1]), up(upward[0], 1)
    yield "<h2>Cost and success</h2>"
    yield (
        "<p>Each dot is this router at another price of a cost (λ, shown where the pointer "
        "rests); the ring is how it ran here. Squares are fixed routes and the oracle.</p>"
    )
    yield open_svg("Success over mean cost")
    yield from axes(along, upward, ("mean cost", "success"), upward[0])
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
    yield from squares(marked, along[-1], upward[0])
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
    yield from table(names, map(_wrong_row, shown))


def _wrong_row(one: Routed) -> str:
    cells = [text(" or ".join(one.best)), text(one.taken)]
    numbers = [f"{one.confidence:.2f}", f"{one.out_of_scope:.2f}"]
    why = "<br>".join(map(text, one.reasons))
    return (
        f'<tr><td class="question">{text(one.question)}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "".join(f'<td class="n">{cell}</td>' for cell in numbers)
        + f"<td>{why}</td></tr>"
    )


def _figure(name: str, value: float) -> str:
    if name.endswith("_ms"):
        return f"{value:.1f} ms"
    if name == "mean_cost":
        return as_cost(value)
    return f"{value:.3f}" if name in ("calibration_error", "auroc_out_of_scope") else f"{value:.1%}"


def _between(name: str, ends: tuple[float, float] | None) -> str:
    return f"[{_figure(name, ends[0])} to {_figure(name, ends[1])}]" if ends else ""
