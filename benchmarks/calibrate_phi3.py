"""Fit how sure an answer that the language model wrote is to be right.

    python benchmarks/calibrate_phi3.py --squad dev-v2.0.json.gz --out pipelines/weights/phi3.json

Asks questions of a SQuAD 2.0 file, of the articles that neither the lab model nor the reader was
trained on: as many with an answer as without, over three and over six sentences. An answer is
right when its F1 against an accepted one is a half or more. Of the calibration error and the area
under the curve, which are five-fold by article, the figures before are of the mean probability
of the reply's tokens.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import report
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict

from adapters.base import load_model
from adapters.batch import Request
from adapters.generate import TextGenerator
from adapters.models import find_model
from adapters.training.answers import f1
from agent.lab import sources
from agent.lab.data import HELD_OUT_ARTICLES
from agent.lab.evaluate import Case, cases
from agent.router.statistics import auroc, calibration_error
from pipelines.citations import resolve, without_marks
from pipelines.confidence import features
from pipelines.ground import ground
from pipelines.phi3 import REFUSAL

_AT_ONCE = 32


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 2.0, JSON(.gz)")
    parser.add_argument("--model", default="lab")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    articles = list(sources.squad(options.squad, HELD_OUT_ARTICLES))
    asked = [
        case
        for passages in (3, 6)
        for case in cases(articles, passages=passages, most=options.questions, seed=passages)
    ]
    # Each piece is a document of its own, or a citation of one would be of all.
    asked = [
        replace(c, evidence=tuple(replace(e, document=str(n)) for n, e in enumerate(c.evidence)))
        for c in asked
    ]
    model = load_model(find_model(options.model))
    generator = TextGenerator(model)
    rows, right, before, titles, given = [], [], [], [], []
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        requests = [Request(model.markup.render(list(c.messages)), max_new_tokens=48) for c in some]
        for case, reply in zip(some, generator.generate(requests), strict=True):
            if REFUSAL in reply.text.casefold():
                continue
            backed = ground(case.question, reply.text, case.evidence).reply
            given.append((bool(case.accepted), bool(backed), rightly(case, reply.text)))
            if backed:
                cited = resolve(backed, case.evidence).citations
                rows.append(
                    features(case.question, case.evidence, cited, reply.first_log_probability)
                )
                right.append(rightly(case, backed))
                before.append(float(np.exp(reply.mean_log_probability)))
                titles.append(case.evidence[0].title)
        print(f"{first + len(some)} of {len(asked)}", flush=True)
    values, labels = np.array(rows), np.array(right)
    made = LogisticRegression(C=10.0).fit(values, labels)
    groups = np.unique(titles, return_inverse=True)[1]
    after = cross_val_predict(
        LogisticRegression(C=10.0),
        values,
        labels,
        cv=GroupKFold(5),
        groups=groups,
        method="predict_proba",
    )[:, 1]
    surest = after >= np.quantile(after, 0.9)
    wrong = [one for one in given if not one[2]]
    figures: dict[str, float | int | str] = {"replies": len(given), "answers": len(labels)}
    figures |= {
        "right": float(labels.mean()),
        "left_out_of_right": float(np.mean([not one[1] for one in given if one[2]])),
        "left_out_of_wrong": float(np.mean([not one[1] for one in wrong])),
    }
    for name, told in (("before", np.array(before)), ("after", after)):
        figures[f"auroc_{name}"] = auroc(told[labels], told[~labels])
        figures[f"ece_{name}"] = calibration_error(told, labels.astype(float))
    figures["surest_tenth_right"] = float(labels[surest].mean())
    figures["surest_tenth_confidence"] = float(after[surest].mean())
    report("Confidence of phi3", figures, options.json)
    if options.out is not None:
        calibration = {
            "intercept": float(made.intercept_[0]),
            "weights": [float(weight) for weight in made.coef_[0]],
        }
        content = {"calibration": calibration, "measured": figures}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def rightly(case: Case, reply: str) -> bool:
    said, _ = without_marks(reply)
    return max((f1(said, accepted) for accepted in case.accepted), default=0.0) >= 0.5


if __name__ == "__main__":
    main()
