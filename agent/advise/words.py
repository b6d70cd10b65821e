"""An advice in plain words, for whoever is to decide."""

import shlex
from collections.abc import Iterator

from agent.advise.answers import READING
from agent.advise.result import Advice, Stale
from agent.router.statistics import Comparison

NAMES = {
    "retrieval": "retrieval",
    "expert": "the adapter alone",
    "hybrid": "both together",
    READING: "both, trained to read",
    "router": "the router over all",
}
"""Each way as people call it."""
MEANINGS = {
    "retrieval": "the documents are searched, and what they say is given with its place",
    "expert": "a fine-tuned model answers from what it learned, without the documents",
    "hybrid": "both are asked, and the surer one answers",
    READING: "a model fine-tuned on questions with their passages writes from those found",
    "router": "for each question the likeliest of these ways is chosen, or no answer given",
}
"""What each way does."""
# A training of fewer steps of those wanted is pointed out.
_SHORT = 0.8


def headline(advice: Advice) -> str:
    """Return which way to use, in a few words."""
    verdict = advice.verdict
    name = NAMES[verdict.way]
    if verdict.outcome == "use":
        return f"Use {name}."
    if verdict.outcome == "open":
        best = NAMES[verdict.best]
        return (
            f"Cannot say yet: about {verdict.more} more questions would tell whether {best} is "
            f"better by enough. Begin with {name}."
        )
    return "None of the ways is of use on these questions yet."


def reasons(advice: Advice) -> Iterator[str]:
    """Yield why, how sure that is, and at what cost: a sentence or two each."""
    verdict = advice.verdict
    share = _share(advice, verdict.way)
    name, count = _capital(NAMES[verdict.way]), len(advice.places)
    yield f"{name} answers {share} of {count} questions that were not taught."
    left = advice.room.state.get("to_ask", count) - count
    if left:
        yield f"{left} more were not asked for lack of time: --fresh, more --budget-minutes."
    for way in advice.ways:
        if way != verdict.way:
            yield _other(advice, way, verdict.against[way])
    if verdict.outcome == "use" and verdict.best != verdict.way:
        yield (
            f"Should {NAMES[verdict.best]} be ahead, then by at most "
            f"{-100 * verdict.against[verdict.best].low:.0f} points: not worth more upkeep."
        )
    if advice.taught_right is not None:
        yield (
            "Asked again the very questions that it was taught, the adapter alone answers "
            f"{advice.taught_right:.0%}."
        )
    if advice.trained_share < _SHORT:
        yield (
            f"Training had time for no more than {advice.trained_share:.0%} of its steps: with "
            "more --budget-minutes, or on a less busy machine, the adapter may do better."
        )
    if READING not in advice.ways:
        yield (
            "An adapter trained with passages, which writes from documents better, was not "
            "measured for lack of time: --fresh and more --budget-minutes do."
        )
    yield from _on_change(advice)
    yield from _cost(advice)


def stale_sentence(name: str, stale: Stale) -> str:
    """Return what a way tells of changed facts."""
    shares = stale.to_dict()
    told = {
        "as they are now": shares["new"],
        "as they were": shares["old"],
        "otherwise": shares["other"],
    }
    return (
        f"{name} tells {', '.join(f'{share:.0%} {how}' for how, share in told.items())}, and "
        f"gives no answer to {shares['withheld']:.0%}"
    )


def counted(count: int, what: str) -> str:
    """Return how many of something there are."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def minutes(seconds: float | None) -> str:
    """Return a time as people read it."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes"


def megabytes(count: float) -> str:
    """Return a size as people read it."""
    return f"{count / 1e6:,.1f} MB"


def next_commands(advice: Advice, questions: str) -> Iterator[tuple[str, str]]:
    """Yield what to do next: a command, and what it does."""
    folder = advice.documents.folder
    way = advice.verdict.way
    yield f"expert index {_quoted(str(folder))}", "index the documents in your workspace"
    if way == "retrieval":
        yield 'expert ask --route retrieval "…"', "ask them"
    else:
        path, options = advice.training_data, advice.training_options(way)
        yield (
            f"expert train NAME {_quoted(str(path))} {options}",
            "train an adapter on all your questions and answers, not on half of them",
        )
        route = {"router": "", READING: " --route hybrid"}.get(way, f" --route {way}")
        yield f'expert ask{route} "…"', "ask by this way"
    yield (
        f"expert measure {_quoted(questions)}",
        "choose what writes the answers: quotes or a model",
    )
    if advice.verdict.outcome == "open":
        yield (
            f"expert advise --documents {_quoted(str(folder))} --questions MORE.jsonl",
            f"ask again with about {advice.verdict.more} more questions",
        )


def _other(advice: Advice, way: str, found: Comparison) -> str:
    points, low, high = (100 * value for value in (found.difference, found.low, found.high))
    head = f"{_capital(NAMES[way])}: {_share(advice, way)}"
    if points == 0:
        return f"{head}, the same."
    more = "fewer" if points > 0 else "more"
    ends = sorted((abs(low), abs(high)))
    if low > 0 or high < 0:
        between = f"95 % interval {ends[0]:.0f} to {ends[1]:.0f}"
        return f"{head}, {abs(points):.0f} points {more} ({between}): more than chance."
    between = f"95 % interval from {_signed(-high)} to {_signed(-low)}"
    return f"{head}, {abs(points):.0f} points {more}, which may be chance ({between})."


def _signed(points: float) -> str:
    return f"{points:+.0f}".replace("-", "−").replace("+0", "0").replace("−0", "0")


def _on_change(advice: Advice) -> Iterator[str]:
    if not advice.stale:
        yield "No fact in these documents could be changed, so what happens then is not known."
        return
    costs = advice.costs
    count = next(iter(advice.stale.values())).facts
    shown = dict.fromkeys((advice.verdict.way, "expert"))
    told = "; ".join(stale_sentence(NAMES[way], advice.stale[way]) for way in shown)
    part = costs["changed_documents"] / advice.room.state["indexed"]["documents"]
    yield (
        f"When {part:.0%} of the documents change and are indexed again "
        f"({minutes(costs['reindex_s'])}), of {count} questions whose answers changed: {told}."
    )


def _cost(advice: Advice) -> Iterator[str]:
    costs = advice.costs
    every = sum(one.has_answer for one in advice.questions)
    took, rows = costs["train_s"], costs["train_rows"]
    again = minutes(took * every / rows)
    yield (
        f"Indexing took {minutes(costs['index_s'])} and {megabytes(costs['index_bytes'])}. An "
        f"adapter took {minutes(took)} of training on {rows:.0f} questions (about {again} on all "
        f"{every}) and {megabytes(costs['adapter_bytes'])}; each time facts change it has "
        "to be trained again, with answers brought up to date by hand."
    )


def _share(advice: Advice, way: str) -> str:
    return f"{advice.shares[way][0]:.0%}" + (" rightly" if advice.by == "right" else " (F1)")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quoted(text: str) -> str:
    return shlex.quote(text)
