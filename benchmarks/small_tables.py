"""Questions about small tables of one's own: right, wrong and withheld.

Each set of ``benchmarks/small_tables`` is indexed by itself, and its 120 questions are asked of
documents alone. ``…_wrong`` counts answers that do not hold what is wanted, and any answer where
there is none.
"""

from collections import Counter
from pathlib import Path

from small_sets import asked, run, show

from agent.measure import holds
from agent.suite import read_suite

SETS = Path(__file__).parent / "small_tables"


def measured(folder: Path, verbose: bool) -> Counter[str]:
    """Ask a set's questions and count what became of them, by kind."""
    suite = read_suite(folder / "questions.jsonl").questions
    counts: Counter[str] = Counter()
    for one, reply in asked(sorted(folder.glob("*.csv")), suite):
        text = reply.answer.text
        right = text is not None and one.has_answer and holds(one, text)
        outcome = "right" if right else "withheld" if text is None else "wrong"
        counts[f"{folder.name}_{one.kind}_{outcome}"] += 1
        counts[f"{folder.name}_by_table"] += reply.answer.answerer == "table"
        if verbose:
            show(one, reply, outcome)
    return counts


if __name__ == "__main__":
    run("small tables", __doc__, SETS, measured)
