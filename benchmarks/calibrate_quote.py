"""Fit how sure a quoted answer is, and from when on it is given.

    python benchmarks/calibrate_quote.py --squad2 dev-v2.0.json.gz --suites SUITE:FOLDER… \\
        --lookups benchmarks/lookups/held_out.jsonl --documents FOLDER \\
        --apart benchmarks/lookups/{companies,pages,collection}_held_out.jsonl --out FILE

Takes suites over documents, questions written on others, on some in indexes of their own, and the
articles of a SQuAD 2.0 file, of which the reader learned none. Each look-up of a suite is asked a
second time without the documents that hold its answer: what is found then is near, and answers
nothing. A logistic regression weighs what is known of each sentence, a second one what is known of
the answer as a whole. The threshold is the least one behind which, and behind the router,
enough of the suites' unanswerable questions are withheld.

All figures are five-fold, by question and by article.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from answers import index_folder, index_squad
from reader_lookups import LookUp, look_up, look_up_apart
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import GroupKFold

from agent.assemble import open_pipeline
from agent.expert import Expert
from agent.lab.data import HELD_OUT_ARTICLES
from agent.measure import holds
from agent.planning import is_hopeless
from agent.router.statistics import auroc, calibration_error
from agent.suite import SuiteQuestion, is_gold, read_suite
from agent.workspace import Workspace
from pipelines.evidence import Evidence
from pipelines.logistic import Logistic
from pipelines.quote import OF_ANSWER, OF_SENTENCE, Candidate, QuoteAnswerer, answer_features
from pipelines.search import retrieve

# Made-up documents, by the names of their files.
_APART = ("companies", "pages", "collection")
# How much each kind counts, whatever its size. SQuAD's questions are worded like its texts: they
# teach less of what people ask; and a single small document leaves little to mistake.
_SHARES = {"suites": 1.0, "written": 1.0, "squad": 0.6} | dict.fromkeys(_APART, 0.1)
# Times that questions are dealt into five parts anew; figures are means.
_REPEATS = 5
# How much the data counts against weights of 0.
_FREEDOM = 0.1
# What may only speak for a sentence, or only against it, whatever the suites' questions say: where
# several say nearly the same, one of them is else turned around, and misleads elsewhere.
_FOR = {
    *("reader", "reader_ahead", "late", "late_of_piece"),
    *("quantity", "money", "name", "reason", "marks"),
}
_AGAINST = {"place", "no_quantity"}


@dataclass(frozen=True)
class Asked:
    """A question, the sentences found for it, and which of them are right."""

    question: SuiteQuestion
    kind: str
    evidence: list[Evidence]
    candidates: list[Candidate]
    right: list[bool]
    routed_away: bool


def quoted(
    answerer: QuoteAnswerer,
    question: SuiteQuestion,
    kind: str,
    evidence: list[Evidence],
    answers: Callable[[Evidence, str], bool],
    *,
    routed_away: bool,
) -> Asked:
    """Find a question's sentences, and judge each.

    :param answers: Whether a sentence of a piece of evidence is right.
    """
    found = answerer.candidates(question.question, evidence, lambda features: 0.0)
    pieces = [evidence[one.piece] for one in found]
    right = [
        answers(piece, piece.text[one.start : one.end])
        for piece, one in zip(pieces, found, strict=True)
    ]
    return Asked(question, kind, evidence, found, right, routed_away)


def ask(workspace: Workspace, questions: Sequence[SuiteQuestion], kind: str) -> list[Asked]:
    """Ask questions; those of suites also without the documents that hold their answer."""
    answerer, asked = QuoteAnswerer(), []
    away = [False] * len(questions)
    if kind == "suites":
        with Expert(workspace) as expert:
            decisions = [expert.decide(question.question) for question in questions]
        away = [decision is not None and is_hopeless(decision) for decision in decisions]

    def add(question: SuiteQuestion, evidence: list[Evidence], kind: str, away: bool) -> None:
        def answers(_: Evidence, told: str) -> bool:
            return bool(question.accepted) and holds(question, told)

        asked.append(quoted(answerer, question, kind, evidence, answers, routed_away=away))

    with open_pipeline(workspace) as pipeline:
        for question, routed_away in zip(questions, away, strict=True):
            found = retrieve(pipeline, question.question)
            add(question, found.evidence, kind, routed_away)
            if kind == "squad" or not question.accepted:
                continue
            gold = {
                hit.document for hit in found.hits if is_gold(hit.document, question.gold_files)
            }
            others = [{"field": "meta.document", "operator": "!=", "value": g} for g in gold]
            if others:
                filters = {"operator": "AND", "conditions": others}
                near = retrieve(pipeline, question.question, filters=filters)
                add(question, near.evidence, "taken", routed_away)
    return [one for one in asked if one.candidates]


def written(lookups: Iterable[LookUp], kind: str) -> Iterator[Asked]:
    """Yield look-ups with what is right: only their own document's words are known to answer."""
    answerer = QuoteAnswerer()
    for one in lookups:

        def answers(piece: Evidence, told: str, one: LookUp = one) -> bool:
            return one.answer is not None and piece.document == one.document and one.answer in told

        question = SuiteQuestion(
            question=one.question, accepted=(one.answer,) if one.answer else (), answer=one.answer
        )
        told = quoted(answerer, question, kind, one.evidence, answers, routed_away=False)
        if told.candidates:
            yield told


def fit(asked: Sequence[Asked]) -> tuple[Logistic, Logistic]:
    """Weigh sentences, then answers; each kind of question counts whatever its size."""
    share = weights(asked)
    sentence = regression(
        np.array([c.features for one in asked for c in one.candidates]),
        np.array([right for one in asked for right in one.right]),
        np.repeat(share, [len(one.candidates) for one in asked]),
        [(name in _FOR) - (name in _AGAINST) for name in OF_SENTENCE],
    )
    ordered = [weighed(one, sentence) for one in asked]
    answer = regression(
        np.array(
            [
                answer_features(one.evidence, found)
                for one, (found, _) in zip(asked, ordered, strict=True)
            ]
        ),
        np.array([any(right[:2]) for _, right in ordered]),
        share,
        [0] * len(OF_ANSWER),
    )
    return sentence, answer


def weights(asked: Sequence[Asked]) -> np.ndarray:
    kinds = ["suites" if one.kind == "taken" else one.kind for one in asked]
    sizes = Counter(kinds)
    return np.array([_SHARES[kind] / sizes[kind] for kind in kinds])


def regression(
    features: np.ndarray, right: np.ndarray, share: np.ndarray, speaks: Sequence[int]
) -> Logistic:
    """Fit a ridge logistic regression.

    :param speaks: Of each feature 1 where it may only speak for an answer, -1 where against, or 0.
    """
    middle, spread = features.mean(0), features.std(0) + 1e-9
    rows = np.column_stack([(features - middle) / spread, np.ones(len(features))])
    share = share / share.mean() * _FREEDOM

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = rows @ weights
        shrunk = np.append(weights[:-1], 0.0)
        wrong = share * (expit(odds) - right)
        fits = share @ (np.logaddexp(0, odds) - right * odds)
        return fits + shrunk @ shrunk / 2, wrong @ rows + shrunk

    bounds = [(0 if one > 0 else None, 0 if one < 0 else None) for one in (*speaks, 0)]
    start = np.zeros(rows.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1] / spread
    return Logistic(
        float(found[-1] - weights @ middle), tuple(weights.tolist()), tuple(middle.tolist())
    )


def weighed(one: Asked, sentence: Logistic) -> tuple[list[Candidate], list[bool]]:
    """Return the sentences, the likeliest first, and which are right."""
    odds = [sentence.log_odds(found.features) + found.alike for found in one.candidates]
    order = sorted(range(len(odds)), key=lambda n: -odds[n])
    found = [replace(one.candidates[n], log_odds=odds[n]) for n in order]
    return found, [one.right[n] for n in order]


def judge(asked: Sequence[Asked], fitted: tuple[Logistic, Logistic], second: float) -> np.ndarray:
    """Return of each question how sure the answer is, and whether it, its first, its first two,
    and any of its sentences are right."""
    rows = []
    for one in asked:
        found, right = weighed(one, fitted[0])
        sure = fitted[1].probability(answer_features(one.evidence, found))
        joined = len(found) > 1 and found[1].log_odds >= found[0].log_odds + np.log(second)
        told = right[0] or (joined and right[1])
        rows.append((sure, told, right[0], any(right[:2]), any(right)))
    return np.array(rows, dtype=float)


def out_of_fold(asked: Sequence[Asked], second: float, seed: int) -> np.ndarray:
    """Judge each question by what was fitted without it, and without its article."""
    groups = [a.question.gold_files[0] if a.kind == "squad" else a.question.question for a in asked]
    rows = np.zeros((len(asked), 5))
    folds = GroupKFold(5, shuffle=True, random_state=seed)
    for learned, left in folds.split(asked, groups=groups):
        fitted = fit([asked[n] for n in learned])
        rows[left] = judge([asked[n] for n in left], fitted, second)
    return rows


def withheld(asked: Sequence[Asked], rows: np.ndarray, threshold: float) -> float:
    """Return the share of the suites' questions without an answer that get none."""
    away = np.array([one.routed_away for one in asked])
    cannot = np.array([one.kind == "suites" and not one.question.accepted for one in asked])
    return float(((rows[:, 0] < threshold) | away)[cannot].mean())


def figures(asked: Sequence[Asked], rows: np.ndarray, threshold: float) -> dict[str, float]:
    kinds = np.array([one.kind for one in asked])
    answerable = np.array([bool(one.question.accepted) for one in asked])
    away = np.array([one.routed_away for one in asked])
    given = rows[:, 0] >= threshold
    told: dict[str, float] = {}
    for name in dict.fromkeys(kinds[kinds != "taken"].tolist()):
        can = (kinds == name) & answerable
        cannot = (kinds == name) & ~answerable
        told |= {
            f"{name}_lookups": int(can.sum()),
            f"{name}_in_evidence": rows[can, 4].mean(),
            f"{name}_first": rows[can, 2].mean(),
            f"{name}_first_two": rows[can, 3].mean(),
            f"{name}_right": (given * rows[:, 1])[can].mean(),
            f"{name}_withheld_answerable": (~given)[can].mean(),
            f"{name}_withheld_unanswerable": (~given)[cannot].mean(),
            f"{name}_right_routed": (given * ~away * rows[:, 1])[can].mean(),
            f"{name}_withheld_answerable_routed": (~given | away)[can].mean(),
            f"{name}_withheld_unanswerable_routed": (~given | away)[cannot].mean(),
        }
        for share in (0.7, 0.85, 0.9):
            least = np.quantile(rows[cannot, 0], share)
            told[f"{name}_right_at_{share}_withheld"] = (
                (rows[can, 0] > least) * rows[can, 1]
            ).mean()
    ours, right = np.isin(kinds, ["suites", "taken"]), rows[:, 3] > 0.5
    told |= {
        "taken_withheld": (~given)[kinds == "taken"].mean(),
        "auroc": auroc(rows[ours & right, 0], rows[ours & ~right, 0]),
        "calibration_error": calibration_error(rows[ours, 0], rows[ours, 3]),
    }
    return {name: round(float(value), 4) for name, value in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--squad2", type=Path, required=True)
    parser.add_argument("--suites", nargs="+", required=True, metavar="SUITE:FOLDER")
    parser.add_argument("--lookups", type=Path, help="questions on documents, JSON lines")
    parser.add_argument("--documents", type=Path, help="the folder of those documents")
    parser.add_argument(
        "--apart", type=Path, nargs="*", default=[], help="documents with questions, JSON lines"
    )
    parser.add_argument("--second", type=float, default=0.2, help="least share of the first's odds")
    parser.add_argument("--withhold", type=float, default=0.86, help="share of the unanswerable")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # In one index, so that each collection's passages are in the others' way.
        workspace, questions = Workspace(Path(folder)), []
        for pair in options.suites:
            suite, _, documents = pair.partition(":")
            index_folder(Path(documents), workspace)
            questions += read_suite(Path(suite)).questions
        asked = ask(workspace, questions, "suites")
    if options.lookups:
        asked += written(look_up(options.lookups, options.documents), "written")
    for path in options.apart:
        asked += written(look_up_apart(path), path.stem.removesuffix("_held_out"))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        questions = index_squad(options.squad2, workspace)
        titles = list(dict.fromkeys(question.gold_files[0] for question in questions))
        held_out = set(titles[HELD_OUT_ARTICLES])
        asked += ask(workspace, [q for q in questions if q.gold_files[0] in held_out], "squad")
    rows = np.mean([out_of_fold(asked, options.second, seed) for seed in range(_REPEATS)], axis=0)
    threshold = next(
        t for t in np.linspace(0.01, 0.99, 99) if withheld(asked, rows, t) >= options.withhold
    )
    measured = figures(asked, rows, threshold)
    print(json.dumps(measured, indent=1))
    sentence, answer = fit(asked)
    content = {
        "calibration": {
            "sentence": asdict(sentence),
            "answer": asdict(answer),
            "threshold": round(float(threshold), 2),
            "second": options.second,
        },
        "measured": measured,
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
