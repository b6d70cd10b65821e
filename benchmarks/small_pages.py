"""Questions about small documents with lists, questions answered in them, and tables.

Each document of ``benchmarks/small_pages`` is indexed by itself, as somebody's first one is, and
its questions are asked of documents alone. A question for a list is right where the answer has
every item of it, ``…_part`` counts those that have some. ``…_wrong`` counts other answers that do
not hold what is wanted, and any answer where there is none.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from report import report

from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.measure import holds, plain, tells
from agent.suite import SuiteQuestion, read_suite
from agent.workspace import Workspace

SETS = Path(__file__).parent / "small_pages"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print what was not right")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for folder in sorted(path for path in SETS.iterdir() if path.is_dir()):
        counts: Counter[str] = Counter()
        suite = read_suite(folder / "questions.jsonl").questions
        for name, asked in groupby(suite, key=lambda one: one.gold_files[0]):
            for one, outcome in measured(folder / name, list(asked), options.verbose):
                counts[f"{folder.name}_{one.kind}_{outcome}"] += 1
        figures |= dict(sorted(counts.items()))
    report("small pages", figures, options.json)


def measured(
    page: Path, suite: Sequence[SuiteQuestion], verbose: bool
) -> list[tuple[SuiteQuestion, str]]:
    """Ask a page's questions; return what became of each."""
    found = []
    with TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary))
        with workspace.index_lock(), open_indexer(workspace) as indexer:
            indexer.index_paths([page])
        with Expert(workspace, answerer="quote") as expert:
            replies = expert.ask_many([one.question for one in suite])
            for one, reply in zip(suite, replies, strict=True):
                assert isinstance(reply, Reply)
                text = reply.answer.text
                outcome = judged(one, text)
                found.append((one, outcome))
                if verbose and outcome != "right" and (one.has_answer or text is not None):
                    print(f"{one.id} {outcome}: {one.question} -> {text or reply.answer.reason}")
    return found


def judged(question: SuiteQuestion, text: str | None) -> str:
    """Return whether an answer is right, tells a part of what is wanted, is wrong or withheld."""
    if text is None:
        return "withheld"
    if question.has_answer and holds(question, text):
        return "right"
    said = plain(text)
    return "part" if any(tells(said, item) for item in question.accepted_all) else "wrong"


if __name__ == "__main__":
    main()
