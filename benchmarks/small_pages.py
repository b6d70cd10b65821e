"""Questions about small documents with lists, questions answered in them, and tables.

Each document of ``benchmarks/small_pages`` is indexed by itself, as somebody's first one is, and
its questions are asked of documents alone. A question for a list is right where the answer has
every item of it, ``…_part`` counts those that have some. ``…_wrong`` counts other answers that do
not hold what is wanted, and any answer where there is none.
"""

from collections import Counter
from itertools import groupby
from pathlib import Path

from small_sets import asked, run, show

from agent.measure import holds, plain, tells
from agent.suite import SuiteQuestion, read_suite

SETS = Path(__file__).parent / "small_pages"


def measured(folder: Path, verbose: bool) -> Counter[str]:
    """Ask of each page of a set its questions and count what became of them, by kind."""
    suite = read_suite(folder / "questions.jsonl").questions
    counts: Counter[str] = Counter()
    for name, of_page in groupby(suite, key=lambda one: one.gold_files[0]):
        for one, reply in asked([folder / name], list(of_page)):
            outcome = judged(one, reply.answer.text)
            counts[f"{folder.name}_{one.kind}_{outcome}"] += 1
            if verbose:
                show(one, reply, outcome)
    return counts


def judged(question: SuiteQuestion, text: str | None) -> str:
    """Return whether an answer is right, tells a part of what is wanted, is wrong or withheld."""
    if text is None:
        return "withheld"
    if question.has_answer and holds(question, text):
        return "right"
    said = plain(text)
    return "part" if any(tells(said, item) for item in question.accepted_all) else "wrong"


if __name__ == "__main__":
    run("small pages", __doc__, SETS, measured)
