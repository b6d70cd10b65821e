"""Sets of questions on small files: asked of documents alone, and counted."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from report import report

from agent.assemble import open_indexer
from agent.expert import Expert, Reply
from agent.suite import SuiteQuestion
from agent.workspace import Workspace


def run(
    name: str, says: str | None, sets: Path, measured: Callable[[Path, bool], Mapping[str, int]]
) -> None:
    """Measure each set of a folder, and report what became of its questions.

    :param name: What was measured.
    :param says: The benchmark's description.
    :param measured: Counts the outcomes of a set's questions; told whether to print what is not
        right.
    """
    parser = argparse.ArgumentParser(description=says)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="print what was not right")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for folder in sorted(path for path in sets.iterdir() if path.is_dir()):
        figures |= dict(sorted(measured(folder, options.verbose).items()))
    report(name, figures, options.json)


def asked(
    files: Sequence[Path], suite: Sequence[SuiteQuestion]
) -> Iterator[tuple[SuiteQuestion, Reply]]:
    """Index files by themselves, and yield questions with what quotes of them answer."""
    with indexed(files) as workspace, Expert(workspace, answerer="quote") as expert:
        replies = expert.ask_many([one.question for one in suite])
        for one, reply in zip(suite, replies, strict=True):
            assert isinstance(reply, Reply)
            yield one, reply


@contextmanager
def indexed(files: Sequence[Path]) -> Iterator[Workspace]:
    """Index files by themselves, in a workspace that is gone afterwards."""
    with TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary))
        with workspace.index_lock(), open_indexer(workspace) as indexer:
            indexer.index_paths(files)
        yield workspace


def show(question: SuiteQuestion, reply: Reply, outcome: str) -> None:
    """Print a question that was not answered rightly, unless withholding was right."""
    text = reply.answer.text
    if outcome != "right" and (question.has_answer or text is not None):
        print(f"{question.id} {outcome}: {question.question} -> {text or reply.answer.reason}")
