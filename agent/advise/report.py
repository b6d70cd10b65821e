"""An advice as one HTML page, for whoever is to decide."""

import html
from collections.abc import Iterator
from pathlib import Path

from agent.advise.result import Advice
from agent.advise.words import (
    MEANINGS,
    NAMES,
    counted,
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
    table,
    table_row,
    text,
    write_page,
)
from agent.printable import printable

_WORST = 3
_STALE = {
    "new": ("first", "told as they are now"),
    "old": ("second", "told as they were"),
    "other": ("third", "told otherwise"),
    "withheld": ("fourth", "no answer"),
}
# A narrower stretch has no room for its share.
_NARROW = 0.08


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
    yield "<ul>"
    yield from (f"<li>{text(sentence)}</li>" for sentence in reasons(advice))
    yield "</ul>"
    asked, count = len(advice.places), len(advice.questions)
    how = (
        "each by adapters that had been taught the other half"
        if advice.room.state["folds"] == 2
        else "by an adapter that had been taught the other half; there was no time for the reverse"
    )
    yield (
        f"<p>{advice.room.state['indexed']['documents']} documents, {count} questions, of which "
        f"{asked} were asked by every way, {how}. "
        f"Model: {text(Path(advice.room.settings.model.name).name)}.</p>"
    )


def _ways(advice: Advice) -> Iterator[str]:
    by = advice.by
    yield f"<h2>{LABELS[by][0].upper()}{LABELS[by][1:]}, by each way</h2>"
    yield (
        "<p>Questions that were not taught. The line is the 95 % interval: where the share would "
        "lie had other questions of the kind been asked.</p>"
    )
    yield '<div class="lines">'
    for way, (value, low, high) in advice.shares.items():
        kind = "first" if way == advice.verdict.way else "third"
        yield f"<span>{text(NAMES[way])}</span>"
        yield (
            f'<div class="track" title="{low:.0%} to {high:.0%}">'
            f'<span class="{kind}" style="width: {value:.1%}"></span>'
            f'<i style="left: {low:.1%}; width: {high - low:.1%}"></i></div>'
        )
        yield f"<b>{value:.0%}</b>"
    yield "</div>"
    rows = [
        f"<tr><td>{text(NAMES[way])}</td><td>{text(MEANINGS[way])}</td></tr>" for way in advice.ways
    ]
    yield from table(("way", "what it does"), rows)


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
    known = advice.knew
    knew = "" if known is None else f" Before, the adapter alone told {known:.0%} of them rightly."
    yield (
        f"<p>Numbers, dates and names were replaced by others in "
        f"{counted(len(advice.changed.documents), 'document')}, which were indexed again; no "
        f"adapter was trained again. Then {counted(count, 'question')} about what changed were "
        f"asked, all of which the adapter had been taught.{knew}</p>"
    )
    keys = (f'<span class="key {kind}"></span>{said}' for kind, said in _STALE.values())
    yield f"<p>{' '.join(keys)}</p>"
    yield '<div class="lines">'
    for way, stale in advice.stale.items():
        shares = stale.to_dict()
        parts = (
            f'<span class="{kind}" style="width: {shares[what]:.1%}" title="{said}">'
            f"{f'{shares[what]:.0%}' if shares[what] >= _NARROW else ''}</span>"
            for what, (kind, said) in _STALE.items()
            if shares[what]
        )
        yield f'<span>{text(NAMES[way])}</span><div class="track">{"".join(parts)}</div><b></b>'
    yield "</div>"


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
        f"{counted(costs['changed_documents'], 'document')} that changed.</p>"
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
        answers = {one.strip().rstrip(".").casefold(): one for one in wanted(judged.question)}
        right = " / ".join(answers.values()) or "no answer"
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
        f"<tr><td>{text(said)}</td><td><code>{html.escape(printable(command))}</code></td></tr>"
        for command, said in next_commands(advice, questions)
    ]
    yield from table(("", "command"), rows)
