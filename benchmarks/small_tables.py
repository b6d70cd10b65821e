"""Questions about small tables of one's own: right, wrong and withheld.

Each set of ``benchmarks/small_tables`` is indexed by itself, and its 120 questions are asked of
documents alone. ``…_wrong`` counts answers that do not hold what is wanted, and any answer where
there is none.
"""

import argparse
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from report import report

from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.measure import holds
from agent.suite import read_suite
from agent.workspace import Workspace

SETS = Path(__file__).parent / "small_tables"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print what was not right")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for folder in sorted(path for path in SETS.iterdir() if path.is_dir()):
        figures |= measured(folder, options.verbose)
    report("small tables", figures, options.json)


def measured(folder: Path, verbose: bool) -> dict[str, float]:
    """Ask a set's questions and count what became of them, by kind."""
    suite = read_suite(folder / "questions.jsonl").questions
    counts: Counter[str] = Counter()
    with TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary))
        with workspace.index_lock(), open_indexer(workspace) as indexer:
            indexer.index_paths(sorted(folder.glob("*.csv")))
        with Expert(workspace, answerer="quote") as expert:
            replies = expert.ask_many([one.question for one in suite])
            for one, reply in zip(suite, replies, strict=True):
                assert isinstance(reply, Reply)
                text = reply.answer.text
                right = text is not None and one.has_answer and holds(one, text)
                outcome = "right" if right else "withheld" if text is None else "wrong"
                counts[f"{folder.name}_{one.kind}_{outcome}"] += 1
                counts[f"{folder.name}_by_table"] += reply.answer.answerer == "table"
                if verbose and not right and (one.has_answer or text is not None):
                    print(f"{one.id} {outcome}: {one.question} -> {text or reply.answer.reason}")
    return dict(sorted(counts.items()))


if __name__ == "__main__":
    main()
