"""Fit how sure a reading is, and from when on it is given as an answer.

    python benchmarks/calibrate_quote.py --squad2 dev-v2.0.json.gz --suites SUITE:FOLDER… --out FILE

Takes the articles of a SQuAD 2.0 file that the reader was not trained on, and suites over
documents. A logistic regression weighs what is known of each sentence of the evidence; the
threshold is where rightly given and rightly withheld are best
together (Youden's index) on the suites.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from answers import index_folder, index_squad
from sklearn.linear_model import LogisticRegression

from agent.assemble import open_pipeline
from agent.lab.data import HELD_OUT_ARTICLES
from agent.measure import holds
from agent.suite import SuiteQuestion, read_suite
from agent.workspace import Workspace
from pipelines.quote import QuoteAnswerer
from pipelines.search import retrieve


def sentences(workspace: Workspace, questions: list[SuiteQuestion]):
    """Yield of each question its sentences' features, which are right, and their pieces."""
    answerer = QuoteAnswerer()
    with open_pipeline(workspace) as pipeline:
        for question in questions:
            evidence = retrieve(pipeline, question.question).evidence
            rows = []
            for found in answerer.candidates(question.question, evidence):
                text = evidence[found.piece].text[found.start : found.end]
                right = bool(question.accepted) and holds(question, text)
                rows.append((found.features, right))
            if rows:
                yield np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def fit(groups: list[list[tuple[np.ndarray, np.ndarray]]]) -> LogisticRegression:
    """Weigh the features; kinds of text count alike, and so do a kind's questions."""
    values, right, weights = [], [], []
    for group in groups:
        for features, labels in group:
            values.append(features)
            right.append(labels)
            weights.append(np.full(len(labels), 1 / len(group)))
    model = LogisticRegression(C=10.0, max_iter=2000)
    joined = np.concatenate(weights)
    model.fit(np.concatenate(values), np.concatenate(right), joined / joined.mean())
    return model


def best_two(model: LogisticRegression, group) -> np.ndarray:
    """Return of each question the two highest probabilities and whether each is right."""
    rows = []
    for features, labels in group:
        probabilities = model.predict_proba(features)[:, 1]
        order = np.argsort(-probabilities)[:2]
        first = (probabilities[order[0]], labels[order[0]])
        second = (probabilities[order[1]], labels[order[1]]) if len(order) > 1 else (0.0, False)
        rows.append((*first, *second))
    return np.array(rows, dtype=float)


def judged(found: np.ndarray, threshold: float, second: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which questions are answered, and which rightly."""
    given = found[:, 0] >= threshold
    odds = found[:, [0, 2]] / (1 - found[:, [0, 2]] + 1e-9)
    joined = odds[:, 1] >= second * odds[:, 0]
    return given, given & ((found[:, 1] > 0) | (joined & (found[:, 3] > 0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--squad2", type=Path, required=True)
    parser.add_argument("--suites", nargs="+", required=True, metavar="SUITE:FOLDER")
    parser.add_argument("--second", type=float, default=0.2, help="least share of the first's odds")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        questions = index_squad(options.squad2, workspace)
        titles = list(dict.fromkeys(question.gold_files[0] for question in questions))
        held_out = set(titles[HELD_OUT_ARTICLES])
        asked = [q for q in questions if q.gold_files[0] in held_out]
        squad = list(sentences(workspace, asked))
    with tempfile.TemporaryDirectory() as folder:
        # In one index, so that each collection's passages are in the others' way.
        workspace, asked = Workspace(Path(folder)), []
        for pair in options.suites:
            suite, _, documents = pair.partition(":")
            index_folder(Path(documents), workspace)
            asked += read_suite(Path(suite)).questions
        suites = list(sentences(workspace, asked))
    model = fit([squad, suites])
    found = best_two(model, suites)
    # A wrong answer and one held back though it was right cost alike.
    answerable = np.array([labels.any() for _, labels in suites])
    threshold = max(
        np.linspace(0.02, 0.9, 89),
        key=lambda t: (
            judged(found, t, options.second)[1].sum() / answerable.sum()
            + (~judged(found, t, options.second)[0][~answerable]).mean()
        ),
    )
    # A second sentence has to pay with more right answers than it has words.
    second = options.second
    figures = {}
    for name, group in (("suites", suites), ("squad", squad)):
        rows = best_two(model, group)
        can = np.array([labels.any() for _, labels in group])
        for with_second in (np.inf, second):
            given, right = judged(rows, threshold, with_second)
            key = f"{name}_{'two' if with_second == second else 'one'}"
            figures[f"{key}_right_of_answerable"] = float(right[can].mean())
            figures[f"{key}_right_of_given"] = float(right[given].mean())
            figures[f"{key}_withheld_of_others"] = float((~given[~can]).mean())
    print(json.dumps(figures, indent=1))
    content = {
        "calibration": {
            "intercept": float(model.intercept_[0]),
            "weights": [float(weight) for weight in model.coef_[0]],
            "threshold": float(threshold),
            "second": float(second),
        },
        "measured": figures,
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
