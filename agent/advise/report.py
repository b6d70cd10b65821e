"""An advice as one HTML page, for whoever is to decide."""

import html
from collections.abc import Iterator
from pathlib import Path

from agent.advise.result import Advice
from agent.advise.words import (
    MEANINGS,
    NAMES,
    headline,
    megabytes,
    minutes,
    next_commands,
    reasons,
)
from agent.evaluation.metrics import wanted
from agent.evaluation.report import LABELS, figure
from agent.expert import Failure
from agent.html_report import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    axes,
    label,
    open_svg,
    table,
    table_row,
    text,
    up,
    write_page,
)

_WORST = 3
_STALE = {
    "new": ("bar", "as they are now"),
    "old": ("also", "as they were"),
    "other": ("third", "otherwise"),
    "withheld": ("empty", "no answer"),
}
_TICKS = [n / 5 for n in range(6)]


def write_advice(path: Path, advice: Advice, questions: str) -> None:
    """Write an advice as one HTML file.

    :param questions: Path of the questions' file, for the commands at the end.
    :raises ReportError: When it cannot be written.
    """
    sections = (_head, _ways, _figures, _stale, _costs, _worst)
    body = [part for section in sections for part in section(advice)]
    body += _next(advice, questions)
    write_page(path, f"Advice: {advice.documents.folder.name}", body)


def _head(advice: Advice) -> Iterator[str]:
    yield f'<p class="verdict"><b>{text(headline(advice))}</b></p>'
    yield f"<p>{' '.join(text(sentence) for sentence in reasons(advice))}</p>"
    asked, count = len(advice.places), len(advice.questions)
    taught = "each question was asked of an adapter that was taught the other half"
    half = "an adapter was taught half of the questions and asked the others"
    yield (
        f"<p>{advice.room.state['indexed']['documents']} documents and {count} questions; "
        f"{asked} of them were asked by every way: "
        f"{taught if advice.room.state['folds'] == 2 else half}. Model: "
        f"{text(advice.room.settings.model.name)}.</p>"
    )


def _ways(advice: Advice) -> Iterator[str]:
    by = advice.evaluation.by
    yield f"<h2>{LABELS[by][0].upper()}{LABELS[by][1:]}, by each way</h2>"
    yield (
        "<p>Of questions that were not taught. The line on a bar is the 95 % interval: where the "
        "value would lie had other questions of the kind been asked.</p>"
    )
    yield open_svg("How right each way is, with intervals")
    yield from axes((), _TICKS, ("", "share"))
    y, room = up(0, 1), (WIDTH - LEFT - RIGHT) / len(advice.ways)
    width = min(64.0, room * 0.6)
    for place, (way, measured) in enumerate(advice.evaluation.ways.items()):
        value, (low, high) = measured.figures[by], measured.intervals[by]
        left = LEFT + (place + 0.5) * room - width / 2
        kind = "bar" if way == advice.verdict.way else "third"
        yield (
            f'<rect class="{kind}" x="{left:.1f}" y="{y(value):.1f}" width="{width:.1f}" '
            f'height="{y(0) - y(value):.1f}"><title>{text(NAMES[way])}: {value:.1%}, between '
            f"{low:.1%} and {high:.1%}</title></rect>"
        )
        yield f'<path class="ends" d="M{left + width / 2:.1f} {y(low):.1f}V{y(high):.1f}"/>'
        yield label(left + width / 2, y(high) - 6, f"{value:.0%}", kind="name")
        yield from _name(left + width / 2, NAMES[way])
    yield "</svg>"
    rows = [
        f"<tr><td>{text(NAMES[way])}</td><td>{text(MEANINGS[way])}</td></tr>" for way in advice.ways
    ]
    yield from table(("way", "what it does"), rows)


def _name(x: float, name: str) -> Iterator[str]:
    """Yield a name below a bar, on two lines where it is long."""
    words = name.split()
    cut = (len(words) + 1) // 2 if len(name) > 12 else len(words)
    for line, part in enumerate((words[:cut], words[cut:])):
        if part:
            yield label(x, HEIGHT - BOTTOM + 16 + 13 * line, text(" ".join(part)), kind="name")


def _figures(advice: Advice) -> Iterator[str]:
    ways = advice.evaluation.ways
    names = ("right", "f1", "grounded", "citation_precision", "withheld", "falsely_withheld")
    rows = []
    for name in names:
        if not any(name in measured.figures for measured in ways.values()):
            continue
        cells = []
        for measured in ways.values():
            if name not in measured.figures:
                cells.append("–")
                continue
            low, high = (figure(name, value) for value in measured.intervals[name])
            cells.append(f"{figure(name, measured.figures[name])} <small>{low}–{high}</small>")
        rows.append(table_row(LABELS[name], cells))
    seconds = advice.costs["seconds"]
    rows.append(table_row("time for one question", (minutes(seconds[w]) for w in ways)))
    yield "<h2>Figures</h2>"
    yield (
        "<p>An answer is right when it holds the words wanted, or is rightly none. In small "
        "print: the 95 % interval. An answer of an adapter alone rests on no document.</p>"
    )
    yield from table(("", *(text(NAMES[way]) for way in ways)), rows)
    if advice.taught_right is not None:
        yield (
            f"<p>Asked again the very questions that it was taught, the adapter alone answers "
            f"{advice.taught_right:.0%} rightly: what it learns it keeps, as far as that goes.</p>"
        )


def _stale(advice: Advice) -> Iterator[str]:
    yield "<h2>When documents change</h2>"
    if not advice.stale:
        yield (
            "<p>No fact of the documents could be changed: a question's accepted words must "
            "hold a number, date or name, and stand in a Markdown, HTML, text, CSV or Office "
            "document.</p>"
        )
        return
    count = next(iter(advice.stale.values())).facts
    knew = (
        "" if advice.knew is None else f" Before, the adapter alone told {advice.knew:.0%} of them."
    )
    yield (
        f"<p>In {len(advice.changed.documents)} documents numbers, dates and names were replaced "
        f"by others, and the documents indexed again; no adapter was trained again. Then {count} "
        f"questions about them were asked, all of which the adapter had been taught.{knew}</p>"
    )
    yield '<p class="legend">'
    yield " ".join(
        f'<svg width="14" height="14"><rect class="{kind}" x="1" y="1" width="12" height="12"/>'
        f"</svg> told {said}" if what != "withheld" else
        f'<svg width="14" height="14"><rect class="{kind}" x="1" y="1" width="12" height="12"/>'
        f"</svg> {said}"
        for what, (kind, said) in _STALE.items()
    )  # fmt: skip
    yield "</p>"
    yield open_svg("What each way tells of changed facts")
    yield from axes((), _TICKS, ("", "share"))
    y, room = up(0, 1), (WIDTH - LEFT - RIGHT) / len(advice.stale)
    width = min(64.0, room * 0.6)
    for place, (way, stale) in enumerate(advice.stale.items()):
        left, bottom, shares = LEFT + (place + 0.5) * room - width / 2, 0.0, stale.to_dict()
        for what, (kind, said) in _STALE.items():
            share = shares[what]
            if not share:
                continue
            yield (
                f'<rect class="{kind}" x="{left:.1f}" y="{y(bottom + share):.1f}" '
                f'width="{width:.1f}" height="{y(0) - y(share):.1f}"><title>'
                f"{text(NAMES[way])}, {said}: {share:.0%}</title></rect>"
            )
            if share >= 0.06:
                middle = y(bottom + share / 2) + 4
                yield label(left + width / 2, middle, f"{share:.0%}", kind="name")
            bottom += share
        yield from _name(left + width / 2, NAMES[way])
    yield "</svg>"


def _costs(advice: Advice) -> Iterator[str]:
    costs = advice.costs
    size, adapter = megabytes(costs["index_bytes"]), megabytes(costs["adapter_bytes"])
    index, again = minutes(costs["index_s"]), minutes(costs["reindex_s"])
    train, reading = minutes(costs["train_s"]), minutes(costs["reading_train_s"])
    both = f"{index} + {train}"
    cells = {
        "retrieval": (index, size, again),
        "expert": (train, adapter, f"{train}, and the answers by hand"),
        "hybrid": (both, f"{size} + {adapter}", f"{again}, and {train} with the answers"),
        "router": (both, f"{size} + {adapter}", f"{again}, and {train} with the answers"),
        "reading": (
            f"{index} + {reading}",
            f"{size} + {adapter}",
            f"{again}, and {reading} with the answers",
        ),
    }
    seconds = costs["seconds"]
    yield "<h2>Cost</h2>"
    yield (
        f"<p>As measured on this machine. A training is one on {costs['train_rows']:.0f} "
        "questions; time goes with their number. Re-indexing took the time for the "
        f"{costs['changed_documents']} documents that changed.</p>"
    )
    yield from table(
        ("way", "to set up", "on disk", "when documents change", "a question"),
        (table_row(text(NAMES[way]), (*cells[way], minutes(seconds[way]))) for way in advice.ways),
    )


def _worst(advice: Advice) -> Iterator[str]:
    way = advice.verdict.way
    worst = advice.worst()[:_WORST]
    yield f"<h2>The worst answers of {text(NAMES[way])}</h2>"
    if not worst:
        yield "<p>None was wrong.</p>"
        return
    yield "<p>Wrong ones, the surest first.</p>"
    for n in worst:
        judged = advice.evaluation.ways[way].judged[n]
        right = " / ".join(dict.fromkeys(wanted(judged.question))) or "no answer"
        yield f'<div class="asked"><b>{text(judged.question.question)}</b>'
        yield f"<p>Wanted: {text(right)}</p>"
        reply = judged.reply
        if isinstance(reply, Failure):
            yield f"<p>Failed: {text(str(reply.error))}</p></div>"
            continue
        told = judged.answer
        if told is None:
            yield f"<p>Told: no answer ({text(reply.answer.reason or '')})</p>"
        else:
            sure = f"{reply.answer.confidence:.0%} sure"
            yield f'<p>Told: <span class="said">{text(told)}</span> ({sure})</p>'
        for citation in reply.answer.citations[:1]:
            page = f", page {citation.page}" if citation.page else ""
            yield f"<small>{text(citation.document)}{page}</small>"
        yield "</div>"


def _next(advice: Advice, questions: str) -> Iterator[str]:
    yield "<h2>What to do next</h2>"
    rows = [
        f"<tr><td>{text(said)}</td><td><code>{html.escape(command)}</code></td></tr>"
        for command, said in next_commands(advice, questions)
    ]
    yield from table(("", "command"), rows)
