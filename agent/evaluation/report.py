"""What ``expert eval`` found, as one HTML file that can be opened anywhere."""

import html
from collections.abc import Iterator
from pathlib import Path

from agent.evaluation.compare import Evaluation
from agent.evaluation.metrics import Judged, Measured, wanted
from agent.expert import Failure
from agent.html_report import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    as_cost,
    axes,
    cards,
    difference,
    from_nothing,
    label,
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
from agent.printable import printable

_MOST_WORST = 50
_MOST_QUOTED = 2000
LABELS = {
    "right": "answered rightly",
    "f1": "F1 against the answer wanted",
    "exact": "word for word",
    "similarity": "near in meaning",
    "citation_precision": "cited places that hold the answer",
    "citation_recall": "answers that cite such a place",
    "grounded": "answers that the evidence backs",
    "withheld": "withheld, rightly",
    "falsely_withheld": "withheld though answerable",
    "abstention_f1": "F1 of withholding",
    "cost": "mean cost",
    "latency_p50_ms": "time to answer, median",
    "latency_p95_ms": "time to answer, 95th percentile",
    "prompt_tokens": "tokens read",
    "completion_tokens": "tokens written",
    "failed": "could not be asked",
}
"""Each figure as people call it, in the order in which they are shown."""


def figure(name: str, value: float) -> str:
    """Return a figure as people read it."""
    if name.endswith("_ms"):
        return f"{value:,.0f} ms"
    if name == "cost":
        return as_cost(value)
    if name.endswith("_tokens") or name == "failed":
        return f"{value:,.0f}"
    return f"{value:.1%}"


def write_report(path: Path, suite: str, evaluation: Evaluation) -> None:
    """Write an evaluation as one HTML file.

    :param suite: The suite's name.
    :raises ReportError: When it cannot be written.
    """
    sections = (_head, _figures, _bars, _costs, _compared, _kinds, _reliability, _worst)
    body = (part for section in sections for part in section(evaluation))
    write_page(path, f"Evaluation: {suite}", body)


def _head(evaluation: Evaluation) -> Iterator[str]:
    best = evaluation.ways[evaluation.best]
    counts = best.figures
    yield f'<p class="verdict">{text(evaluation.verdict())}</p>'
    yield (
        f"<p>{counts['questions']} questions, {counts['unanswerable']} of them without an answer, "
        "each asked by every way. In brackets: the 95 % bootstrap interval over the questions.</p>"
    )
    yield from cards(
        (
            f"{text(way)}: {LABELS[evaluation.by]}",
            figure(evaluation.by, measured.figures[evaluation.by]),
            _between(measured, evaluation.by),
        )
        for way, measured in evaluation.ways.items()
    )


def _figures(evaluation: Evaluation) -> Iterator[str]:
    rows = []
    for name, said in LABELS.items():
        each = [measured.figures.get(name) for measured in evaluation.ways.values()]
        counts = name == "failed" or name.endswith("_tokens")
        # A share of 0 says something, a count of none does not.
        if not any(each if counts else (value is not None for value in each)):
            continue
        cells = [
            f"{figure(name, measured.figures[name])} <small>{_between(measured, name)}</small>"
            if name in measured.figures
            else "–"
            for measured in evaluation.ways.values()
        ]
        rows.append(table_row(said, cells))
    yield "<h2>Ways side by side</h2>"
    yield (
        "<p>The router chooses a route for each question; the other ways are one route for all. "
        "An answer is right when it holds the accepted words, or is rightly none. Where it was "
        "withheld, F1 and nearness count as 0. Times are those of many questions asked at once; "
        "the first of a route, which loads its model, is left out.</p>"
    )
    yield from table(("", *map(text, evaluation.ways)), rows)


def _bars(evaluation: Evaluation) -> Iterator[str]:
    yield "<h2>Right, and how near</h2>"
    yield (
        "<p>Of each way the share answered rightly (left) and the F1 against the answers wanted "
        "(right), with what they lie between.</p>"
    )
    yield open_svg("Right and F1 of each way, with their intervals")
    yield from axes((), [n / 5 for n in range(6)], ("way", "share"))
    y, room = up(0, 1), (WIDTH - LEFT - RIGHT) / len(evaluation.ways)
    width = min(60.0, room / 3)
    for place, (way, measured) in enumerate(evaluation.ways.items()):
        middle = LEFT + (place + 0.5) * room
        yield label(middle, HEIGHT - BOTTOM + 18, text(way), kind="name")
        for name, left, kind in (("right", middle - width, "bar"), ("f1", middle, "also")):
            if name not in measured.figures:
                continue
            value, (low, high) = measured.figures[name], measured.intervals[name]
            yield (
                f'<rect class="{kind}" x="{left + 2:.1f}" y="{y(value):.1f}" '
                f'width="{width - 4:.1f}" height="{y(0) - y(value):.1f}">'
                f"<title>{text(way)}, {LABELS[name]}: {value:.1%}</title></rect>"
            )
            yield f'<path class="ends" d="M{left + width / 2:.1f} {y(low):.1f}V{y(high):.1f}"/>'
    yield "</svg>"


def _costs(evaluation: Evaluation) -> Iterator[str]:
    figures = {way: measured.figures for way, measured in evaluation.ways.items()}
    marked = {
        way: (each[evaluation.by], each["cost"]) for way, each in figures.items() if "cost" in each
    }
    if not marked:
        return
    along = from_nothing(max(cost for _, cost in marked.values()))
    upward = to_all(min(share for share, _ in marked.values()))
    yield "<h2>Cost</h2>"
    yield "<p>Best is up and to the left. What a route costs is set by the router's settings.</p>"
    yield open_svg("How good each way is over what it costs")
    yield from axes(along, upward, ("mean cost", evaluation.by), upward[0])
    yield from squares(marked, along[-1], upward[0])
    yield "</svg>"


def _compared(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.compared:
        return
    empty = ["", ""]
    rows = [
        table_row(
            text(way),
            [
                cell
                for name in ("right", "f1")
                for cell in (difference(each[name]) if name in each else empty)
            ],
        )
        for way, each in evaluation.compared.items()
    ]
    best = text(evaluation.best)
    yield f"<h2>{best} against each other way</h2>"
    yield (
        f"<p>By how many points {best} is better, over draws of the same questions. Where what it "
        "lies between is above 0, it is more than chance.</p>"
    )
    yield from table(("way", "right", "better in", "F1", "better in"), rows)


def _kinds(evaluation: Evaluation) -> Iterator[str]:
    kinds = {way: measured.kinds() for way, measured in evaluation.ways.items()}
    first = kinds[evaluation.best]
    if len(first) < 2:
        return
    rows = [
        table_row(
            text(kind) or "of no kind",
            [str(count), *(f"{each[kind][0]:.1%}" for each in kinds.values())],
        )
        for kind, (_, count) in sorted(first.items())
    ]
    yield "<h2>Right by kind of question</h2>"
    yield from table(("kind", "questions", *map(text, kinds)), rows)


def _reliability(evaluation: Evaluation) -> Iterator[str]:
    known = {way: measured.confidences() for way, measured in evaluation.ways.items()}
    if not any(sure for sure, _ in known.values()):
        return
    yield "<h2>How far confidence can be trusted</h2>"
    yield (
        "<p>A bar is how right the answers given were that were about so sure; over it stands how "
        "many. On the dashed line they would be exactly as right as they are sure.</p>"
    )
    for way, (sure, right) in known.items():
        if sure:
            yield f"<h3>{text(way)}</h3>"
            yield from reliability_drawing(sure, right, f"Reliability of {text(way)}")


def _worst(evaluation: Evaluation) -> Iterator[str]:
    worst = evaluation.worst()
    yield f"<h2>Not all right: {len(worst)}</h2>"
    if not worst:
        return
    more = f" The first {_MOST_WORST} are shown." if len(worst) > _MOST_WORST else ""
    yield (
        "<p>Those that most ways got wrong come first, and of them those that they were surest "
        f"of.{more}</p>"
    )
    for place in worst[:_MOST_WORST]:
        judged = {way: measured.judged[place] for way, measured in evaluation.ways.items()}
        question = judged[evaluation.best].question
        right = " / ".join(wanted(question)) or "no answer"
        yield f'<div class="asked"><b>{text(question.question)}</b>'
        yield f"<p>{text(question.id)}, wanted: {text(right)}</p>"
        yield from table(
            ("way", "right", "answer"), (_reply_row(way, one) for way, one in judged.items())
        )
        yield "</div>"


def _reply_row(way: str, one: Judged) -> str:
    mark = "–" if one.right is None else "yes" if one.right else "no"
    return (
        f"<tr><td>{text(way)}</td><td>{mark}</td>"
        f'<td class="question">{"".join(_reply(one))}</td></tr>'
    )


def _reply(one: Judged) -> Iterator[str]:
    reply = one.reply
    if isinstance(reply, Failure):
        yield f"<small>failed: {text(str(reply.error))}</small>"
        return
    answer = reply.answer
    if answer.text is None:
        yield f"<small>withheld: {text(answer.reason or '')}</small>"
    else:
        yield f'<span class="said">{_block(answer.text)}</span>'
    for citation in answer.citations:
        page = f", page {citation.page}" if citation.page else ""
        yield f"<br><small>{text(citation.document)}{page}: “{text(citation.quote)}”</small>"
    facts = [
        f"route {', then '.join(one.tried)}",
        f"adapter {reply.adapter}" if reply.adapter else "",
        f"confidence {answer.confidence:.2f}",
        f"{reply.timings_ms['total']:,.0f} ms",
        "" if one.grounded is None else "backed" if one.grounded else "not backed",
        f"searched: {reply.searched}" if reply.searched != reply.question else "",
    ]
    yield f"<details><summary>{text(', '.join(filter(None, facts)))}</summary>"
    if reply.decision is not None:
        yield f"<p>{text('; '.join(reply.decision.reasons))}</p>"
    for piece in reply.evidence:
        place = f"{piece.document}, page {piece.page}" if piece.page else piece.document
        yield f"<small>{text(place)}</small><blockquote>{_block(piece.text)}</blockquote>"
    yield "</details>"


def _block(content: str) -> str:
    shown = printable(content)
    more = " …" if len(shown) > _MOST_QUOTED else ""
    return html.escape(shown[:_MOST_QUOTED]) + more


def _between(measured: Measured, name: str) -> str:
    if name not in measured.intervals:
        return ""
    low, high = measured.intervals[name]
    return f"[{figure(name, low)} to {figure(name, high)}]"
