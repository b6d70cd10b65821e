"""Fit how sure an adapter's own answer is to be right, and from when on it is given.

    python benchmarks/calibrate_adapter.py [--out pipelines/weights/adapter.json]
        [--withhold 0.9] [--quick] [--json OUT]

Asks each adapter of the examples what it was taught, in other words (know_how_paraphrased.jsonl),
and its industry's other questions (questions.jsonl), which it was not taught. An answer is right
when it has the very words taught, case, articles and punctuation aside. ``alone`` is what the
adapter says to the question as it is put, by the mean probability of its tokens; the rest is as
the route ``expert`` answers. The threshold withholds the share ``--withhold`` of what was not
taught. Every figure is of the industry left out when the regression was fitted.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import report
from sklearn.linear_model import LogisticRegression

from adapters.card import AdapterCard
from adapters.lab import lab_model
from adapters.registry import Registry
from adapters.training.squad import same_words
from agent.router.statistics import auroc, calibration_error
from agent.routes import Routes
from agent.workspace import Workspace
from pipelines.closed_book import Recalled

EXAMPLES = Path(__file__).parents[1] / "examples"
INDUSTRIES = ("hr", "maintenance", "health")
_AT_ONCE = 16


@dataclass(frozen=True)
class Row:
    """What an adapter made of a question.

    :param taught: Whether it was taught the answer.
    :param right: Whether its answer is right, and
    :param alone: whether what it said to the question as it was put is.
    """

    industry: str
    taught: bool
    right: bool
    alone: bool
    recalled: Recalled


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ask(industry: str, most: int | None) -> list[Row]:
    """Ask an industry's adapter what it was taught, and what it was not."""
    folder = EXAMPLES / industry
    known = [
        (row["question"], row["answer"]) for row in rows(folder / "know_how_paraphrased.jsonl")
    ][:most]
    others = [(row["question"], "") for row in rows(folder / "questions.jsonl")][:most]
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary) / ".expert")
        card = AdapterCard.read(folder / "adapter")
        Registry(workspace.adapters_folder).publish(folder / "adapter", card)
        with closing(Routes(workspace)) as routes, ThreadPoolExecutor(_AT_ONCE) as pool:
            adapter = routes.expert(card.name)
            adapter.warm_up()
            told = list(pool.map(lambda one: adapter.recall(one[0]), known + others))
    return [
        Row(
            industry,
            bool(wanted),
            bool(wanted) and same_words(recalled.text, wanted),
            bool(wanted) and same_words(recalled.said, wanted),
            recalled,
        )
        for (_, wanted), recalled in zip(known + others, told, strict=True)
    ]


def fit(asked: Sequence[Row]) -> LogisticRegression:
    features = [one.recalled.features for one in asked]
    return LogisticRegression(C=10).fit(features, [one.right for one in asked])


def figures(asked: Sequence[Row], sure: np.ndarray, threshold: float) -> dict[str, float]:
    taught = np.array([one.taught for one in asked])
    right = np.array([one.right for one in asked])
    alone = np.array([one.alone for one in asked])
    said = np.array([one.recalled.probability for one in asked])
    given = sure >= threshold
    as_many = np.quantile(said[~taught], 1 - float(np.mean(given[~taught])))
    high = sure >= 0.9
    found = {
        "questions_taught": float(taught.sum()),
        "questions_not_taught": float((~taught).sum()),
        "right": float(right[taught].mean()),
        "alone_right": float(alone[taught].mean()),
        "auroc": auroc(sure[right], sure[~right]),
        "alone_auroc": auroc(said[alone], said[~alone]),
        "calibration_error": calibration_error(sure, right),
        "alone_calibration_error": calibration_error(said, alone),
        "threshold": threshold,
        "withheld_not_taught": float(1 - given[~taught].mean()),
        "withheld_taught": float(1 - given[taught].mean()),
        "given_right": float((right & given)[taught].mean()),
        "alone_given_right": float((alone & (said >= as_many))[taught].mean()),
        "at_least_.9": float(high.sum()),
        "right_at_least_.9": float(right[high].mean()),
    }
    for industry in INDUSTRIES:
        mine = taught & np.array([one.industry == industry for one in asked])
        found |= {
            f"{industry}_right": float(right[mine].mean()),
            f"{industry}_alone_right": float(alone[mine].mean()),
            f"{industry}_given_right": float((right & given)[mine].mean()),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--withhold", type=float, default=0.9)
    parser.add_argument("--quick", action="store_true", help="12 questions of each kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lab_model()
    asked = [row for industry in INDUSTRIES for row in ask(industry, 12 if options.quick else None)]
    # An answer is kept of all that the examples' adapters were taught.
    sure = np.zeros(len(asked))
    for industry in INDUSTRIES:
        left = [n for n, one in enumerate(asked) if one.industry == industry]
        others = [one for one in asked if one.industry != industry]
        features = [asked[n].recalled.features for n in left]
        sure[left] = fit(others).predict_proba(features)[:, 1]
    not_taught = [p for p, one in zip(sure, asked, strict=True) if not one.taught]
    threshold = float(np.quantile(not_taught, options.withhold))
    found = figures(asked, sure, threshold)
    whole = fit(asked)
    if options.out:
        shipped = {
            "calibration": {
                "answer": {
                    "intercept": round(float(whole.intercept_[0]), 4),
                    "weights": [round(float(weight), 4) for weight in whole.coef_[0]],
                },
                "threshold": round(threshold, 3),
            },
            "measured": {name: round(value, 3) for name, value in found.items()},
        }
        options.out.write_text(json.dumps(shipped, indent=1) + "\n", encoding="utf-8")
    report("An adapter's own answers", found, options.json)


if __name__ == "__main__":
    main()
