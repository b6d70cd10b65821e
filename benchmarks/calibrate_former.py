"""Fit whether a question asks for what an adapter was taught before its documents changed.

    python benchmarks/calibrate_former.py --medquad FILE [--out pipelines/weights/former.json]
        [--quick] [--json OUT]

The facts of the examples' know-how stand in documents, five under headings in each; those of the
health example in the whole pages of MedQuAD that they were taken from, whose questions and answers
``--medquad`` names (JSON lines, plain or .gz). The adapter's card says that it was taught half of
them, then all documents change. All facts are asked for in other words. ``asks`` is how well the
regression tells those that the nearest taught question is the one meant from the others, of the
industry left out when it was fitted; ``nearness`` is how near the questions are, alone.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from freshness import Taught, handbook, index, indexed, medical_pages, pairs, publish
from report import report
from sklearn.linear_model import LogisticRegression

from agent.former import Former
from agent.router.statistics import auroc, calibration_error
from agent.routes import Routes

INDUSTRIES = ("hr", "maintenance", "health")
THRESHOLD = 0.5


@dataclass(frozen=True)
class Row:
    """A question beside the fact that it may ask for.

    :param meant: Whether it does.
    :param signs: See :func:`pipelines.former.signs`.
    """

    industry: str
    meant: bool
    signs: tuple[float, float, float]


def ask(taught: Taught, most: int | None) -> list[Row]:
    """Ask for all facts of an industry after its documents have changed."""
    facts = sorted(set(taught.places))
    known = set(random.Random(1).sample(facts, len(facts) // 2))
    asked = pairs(taught.folder / "know_how_paraphrased.jsonl")
    with tempfile.TemporaryDirectory() as temporary:
        folder, workspace = indexed(taught, Path(temporary))
        publish(workspace, taught, True, known)
        for file, text in taught.documents.items():
            (folder / file).write_text(f"{text}\nRevised.\n", encoding="utf-8")
        index(workspace, folder)
        with closing(Routes(workspace)) as routes:
            former, rows = Former(routes), []
            for question, answer in [one for one in asked if one[1] in taught.places][:most]:
                decision = routes.router.decide(question, probe=lambda text: routes.find(text).hits)
                fact = decision.knew
                told = former.signs(fact, question, former.look(fact)) if fact else None
                if fact is not None and told is not None:
                    rows.append(Row(taught.industry, fact.answer == answer, told))
    return rows


def fit(rows: Sequence[Row]) -> LogisticRegression:
    return LogisticRegression(C=10).fit([one.signs for one in rows], [one.meant for one in rows])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--medquad", type=Path, required=True, help="MedQuAD as JSON lines")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="30 questions of each industry")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    all_taught = [handbook("hr"), handbook("maintenance"), medical_pages(options.medquad)]
    rows = [row for taught in all_taught for row in ask(taught, 30 if options.quick else None)]
    meant = np.array([one.meant for one in rows])
    sure = np.zeros(len(rows))
    for industry in INDUSTRIES:
        left = [n for n, one in enumerate(rows) if one.industry == industry]
        model = fit([one for one in rows if one.industry != industry])
        sure[left] = model.predict_proba([rows[n].signs for n in left])[:, 1]
    near = np.array([one.signs[0] for one in rows])
    taken = sure >= THRESHOLD
    found = {
        "questions": float(len(rows)),
        "meant": float(meant.mean()),
        "asks_auroc": auroc(sure[meant], sure[~meant]),
        "nearness_auroc": auroc(near[meant], near[~meant]),
        "asks_calibration_error": calibration_error(sure, meant),
        "taken_of_meant": float(taken[meant].mean()),
        "taken_of_others": float(taken[~meant].mean()),
    }
    if options.out:
        model = fit(rows)
        written = {
            "calibration": {
                "asks": {
                    "intercept": round(float(model.intercept_[0]), 4),
                    "weights": [round(float(weight), 4) for weight in model.coef_[0]],
                },
                "threshold": THRESHOLD,
            },
            "measured": {name: round(value, 3) for name, value in found.items()},
        }
        options.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    report("What was taught before documents changed", found, options.json)


if __name__ == "__main__":
    main()
