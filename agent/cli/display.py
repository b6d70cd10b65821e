"""How hits, answers and their sources look on a terminal and in a pipe.

Everything that comes from documents, questions or models is made printable first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.printable import one_line, printable_spans

if TYPE_CHECKING:
    from agent.expert import Reply
    from pipelines.answer import Answer, Citation
    from pipelines.search import Hit

EMPHASIS = "bold yellow"
_MOST_SHOWN = 240
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Source:
    """A place that an answer rests on, or of an abstention the nearest place.

    :param citation: The place.
    :param hit: The passage that it stands in, where that was among those found.
    """

    citation: "Citation"
    hit: "Hit | None"

    @property
    def name(self) -> str:
        """Title and headings, of those in its passage the last one above it; or the path."""
        cited, hit = self.citation, self.hit
        headings = hit.headings_above(cited.start - hit.start) if hit else None
        return _trail(cited.title, headings, cited.document)

    @property
    def place(self) -> str:
        """Document, page and characters."""
        cited = self.citation
        meta = self.hit.meta if self.hit else {}
        return _place(cited.document, cited.page, meta, cited.start, cited.end)


def sources_of(reply: "Reply") -> list[Source]:
    """Return what an answer cites, in its order; of an abstention the nearest place."""
    answer = reply.answer
    cited = answer.citations or ((answer.nearest,) if answer.nearest else ())
    return [Source(citation, _passage(citation, reply.hits)) for citation in cited]


def answer_text(answer: "Answer") -> Text:
    """Return an answer with the very answer set off, or what is said instead of one."""
    if answer.text is None:
        text = Text("No answer", style="bold")
        return text.append(f": {one_line(answer.reason or 'none was found')}.", style="not bold")
    content, spans = printable_spans(answer.text, answer.highlights)
    text = Text(content)
    for start, end in spans:
        text.stylize(EMPHASIS, start, end)
    return text


def print_reply(console: Console, reply: "Reply", *, panel: bool = False) -> None:
    """Print an answer with its sources and how sure it is.

    :param panel: Frame the sources, on a terminal.
    """
    if reply.searched != reply.question:
        print_text(console, Text(f"searched as: {shortened(reply.searched)}", style="dim"))
    print_text(console, answer_text(reply.answer))
    shown = [
        numbered(console, number, _described(source, reply.answer.text))
        for number, source in enumerate(sources_of(reply), 1)
    ]
    title = "Nearest place" if reply.answer.abstained else "Sources"
    if shown and panel and console.is_terminal:
        console.print(Panel(Group(*shown), title=title, title_align="left", border_style="dim"))
    elif shown:
        if reply.answer.abstained:
            print_text(console, Text(f"{title}:"))
        for part in shown:
            console.print(part, soft_wrap=not console.is_terminal)
    if not reply.answer.abstained:
        for claim in reply.answer.claims:
            if claim.fault:
                left = f"Left out: {shortened(claim.text)} ({one_line(claim.fault)})"
                print_text(console, Text(left, style="yellow"))
    for told in reply.learned:
        text = (reply.answer.text or "")[told.start : told.end]
        by = one_line(told.adapter or reply.answer.answerer)
        said = f"Learned by {by}, in no document: {shortened(text)}"
        print_text(console, Text(said, style="yellow"))
    for part in reply.answer.missing:
        print_text(console, Text(f"Not answered: {shortened(part)}", style="yellow"))
    if reply.changed and reply.adapter:
        named = ", ".join(map(one_line, reply.changed[:_MOST_NAMED]))
        more = " and others" if len(reply.changed) > _MOST_NAMED else ""
        name = one_line(reply.adapter).partition("@")[0]
        said = f"{name} learned from documents that have changed since: {named}{more}"
        print_text(console, Text(f"{said}; `expert train {name} --refresh`", style="yellow"))
    print_text(console, Text(summary(reply), style="dim"))


def summary(reply: "Reply") -> str:
    """Return in one line how sure an answer is, who gave it, and in what time."""
    parts = [f"confidence {reply.answer.confidence:.2f}", reply.answer.answerer]
    if reply.decision is not None:
        parts.insert(0, f"route {reply.decision.route}")
        if reply.decision.route == "abstain":
            parts[1:] = [f"out of scope {reply.decision.out_of_scope:.2f}"]
        elif len(reply.tried) > 1:
            parts[0] = f"route {', then '.join(reply.tried)}"
    if reply.adapter:
        parts.append(f"adapter {one_line(reply.adapter)}")
    if "total" in reply.timings_ms:
        parts.append(_duration(reply.timings_ms["total"]))
    if reply.answer.dropped_citations:
        parts.append(f"{reply.answer.dropped_citations} citations of nothing left out")
    return " · ".join(parts)


def source_text(source: Source) -> Text:
    """Return what a source is called and where it stands, on a line or two."""
    text = Text()
    # A document without title or headings is called by its path, which its place says too.
    if source.name != one_line(source.citation.document):
        text.append(f"{source.name}\n", style="bold")
    return text.append(source.place, style="cyan")


def numbered(console: Console, number: int, text: Text) -> RenderableType:
    """Return a text behind its number, which no other line of it stands below."""
    if not console.is_terminal:
        return Text(f"[{number}] ") + Text("\n    ").join(text.split("\n"))
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(f"[{number}]"), text)
    return grid


def print_source(console: Console, source: Source, number: int) -> None:
    """Print the whole passage that a source stands in, with the cited stretch set off."""
    cited, hit = source.citation, source.hit
    console.print(numbered(console, number, source_text(source)), soft_wrap=not console.is_terminal)
    if hit is None:
        passage = _styled(cited.quote, [(0, len(cited.quote))])
    else:
        passage = _styled(hit.text, [(cited.start - hit.start, cited.end - hit.start)])
        _print_others(console, hit)
    _print_passage(console, passage)


def print_hit(console: Console, hit: "Hit", number: int | None = None) -> None:
    """Print a hit: where it stands, its score's parts, and the passage with its evidence."""
    head = Text(f"{number}. " if number else "")
    head.append(_trail(hit.title, hit.headings, hit.document), style="bold")
    console.print(head)
    place = _place(hit.document, hit.page, hit.meta, hit.start, hit.end)
    parts = [
        f"{name} {value:.3g}"
        for name, value in hit.meta.get("scores", {}).items()
        if isinstance(value, float | int)
    ]
    console.print(Text("   " + place, style="cyan"))
    _print_others(console, hit)
    console.print(Text(f"   score {hit.score:.3g} ({', '.join(parts)})", style="dim"))
    _print_passage(console, _styled(hit.text, hit.evidence))
    console.print()


def shortened(text: str) -> str:
    """Return a text on one line, cut at a word where it would take more than a few."""
    text = one_line(text)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN].rsplit(" ", 1)[0] + " …"


def print_text(console: Console, text: Text) -> None:
    """Print a text, wrapped at words on a terminal and not at all in a pipe."""
    console.print(text, soft_wrap=not console.is_terminal)


def _described(source: Source, answer: str | None) -> Text:
    """Return a source with its quote, unless the answer says that already, word for word."""
    text = source_text(source)
    quote = one_line(source.citation.quote)
    if answer is None or quote not in one_line(answer):
        text.append(f"\n{shortened(quote)}", style="dim")
    return text


def _passage(citation: "Citation", hits: Sequence["Hit"]) -> "Hit | None":
    for hit in hits:
        start, end = citation.start - hit.start, citation.end - hit.start
        if (
            hit.document == citation.document
            and start >= 0
            and hit.text[start:end] == citation.quote
        ):
            return hit
    return None


def _trail(title: str | None, headings: str | None, document: str) -> str:
    trail = [part for part in (title, headings) if part]
    if len(trail) == 2 and trail[1].startswith(trail[0]):
        trail = trail[1:]
    return one_line(" > ".join(trail) or document)


def _place(document: str, page: int | None, meta: Mapping[str, Any], start: int, end: int) -> str:
    place = [one_line(document)]
    if page is not None:
        place.append(f"page {page}")
    if meta.get("sheet"):
        place.append(f"sheet {one_line(str(meta['sheet']))}")
    if meta.get("row") is not None:
        place.append(f"row {meta['row']}")
    place.append(f"characters {start}–{end}")
    return ", ".join(place)


def _print_others(console: Console, hit: "Hit") -> None:
    if others := sorted({str(place["document"]) for place in hit.also_in} - {hit.document}):
        names = ", ".join(one_line(name) for name in others)
        console.print(Text(f"   also in {names}", style="dim cyan"))


def _styled(content: str, spans: Sequence[tuple[int, int]]) -> Text:
    content, spans = printable_spans(content, spans)
    text = Text(content)
    for start, end in spans:
        text.stylize(EMPHASIS, start, end)
    return text


def _print_passage(console: Console, passage: Text) -> None:
    for line in passage.wrap(console, max(console.width - 6, 20)):
        console.print(Text.assemble(("   │ ", "dim"), line))


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
