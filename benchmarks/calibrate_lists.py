"""Fit how sure a whole list is to answer a question, and say what comes of it.

    python benchmarks/calibrate_lists.py [--out pipelines/weights/lists.json]

The pages of ``benchmarks/small_pages`` are indexed one by one and asked their questions. Of each
list in the evidence it is known whether it has all that its question asks for; a question that
asks for something else is answered by none. What is told of a set is said by weights fitted on the
other sets; those that are written are fitted on all.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from calibrate_quote import regression
from report import report
from small_pages import SETS
from small_sets import indexed

from agent.assemble import open_pipeline
from agent.measure import holds
from agent.suite import read_suite
from pipelines.lists import CALIBRATION
from pipelines.logistic import Logistic
from pipelines.quote import QuoteAnswerer, lists_found
from pipelines.search import retrieve

# Least probability with which a list is told: from .5 on 88 are told rightly and 6 wrongly, from
# here on 113 and 8, from .25 on 117 and 13, and twice as many of those who ask for something else.
_THRESHOLD = 0.35


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the lists found for it.

    :param kind: "list", "none", or of what it asks for else.
    :param signs: float [n, signs] of the lists.
    :param right: bool [n]: which have all that is asked for.
    """

    kind: str
    signs: np.ndarray
    right: np.ndarray


def asked(folder: Path) -> Iterator[Asked]:
    """Ask a set's questions."""
    answerer = QuoteAnswerer()
    suite = read_suite(folder / "questions.jsonl").questions
    for name, of_page in groupby(suite, key=lambda one: one.gold_files[0]):
        with indexed([folder / name]) as workspace, open_pipeline(workspace) as pipeline:
            for one in of_page:
                evidence = retrieve(pipeline, one.question).evidence
                candidates = answerer.candidates(one.question, evidence)
                found = list(lists_found(one.question, evidence, candidates))
                texts = [evidence[c.piece].text[c.start : c.end] for c, _ in found]
                yield Asked(
                    one.kind or "",
                    np.array([signs.features() for _, signs in found]),
                    np.array([bool(one.accepted_all) and holds(one, t) for t in texts], dtype=bool),
                )


def fitted(questions: Sequence[Asked]) -> Logistic:
    """Return the weights of signs."""
    known = [one for one in questions if len(one.right)]
    signs = np.concatenate([one.signs for one in known])
    right = np.concatenate([one.right for one in known])
    return regression(signs, right, np.ones(len(right)), [0] * signs.shape[1])


def told(questions: Sequence[Asked], signs: Logistic) -> Counter[str]:
    """Count the questions of each kind, those told a list, and those told the right one."""
    counts: Counter[str] = Counter()
    for one in questions:
        kind = one.kind if one.kind in ("list", "none") else "other"
        counts[f"{kind}_questions"] += 1
        sure = [signs.probability(features) for features in one.signs]
        if sure and max(sure) >= _THRESHOLD:
            counts[f"{kind}_told"] += 1
            counts[f"{kind}_right"] += int(one.right[int(np.argmax(sure))])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=CALIBRATION)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sets = {path.name: list(asked(path)) for path in sorted(SETS.iterdir()) if path.is_dir()}
    counts: Counter[str] = Counter()
    for name, questions in sets.items():
        others = [one for other in sets if other != name for one in sets[other]]
        of_set = told(questions, fitted(others))
        counts += of_set + Counter({f"{name}_{key}": value for key, value in of_set.items()})
    figures = dict(sorted(counts.items()))
    signs = fitted([one for questions in sets.values() for one in questions])
    written = {
        "calibration": {"signs": asdict(signs), "threshold": _THRESHOLD},
        "measured": figures,
    }
    options.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    report("lists", figures, options.json)


if __name__ == "__main__":
    main()
