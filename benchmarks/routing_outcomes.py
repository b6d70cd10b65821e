"""Which strategy to answer a question with, learned from which of them answered rightly."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.router.calibration import fit_logistic
from agent.router.classifier import plain_features
from agent.router.features import parts_of
from agent.router.policy import Policy
from agent.router.statistics import interval
from pipelines.embed.embedder import Embedder

COSTS = (0.0, 1.0, 4.69)
_HELD_OUT = 0.2
# A margin under the half that may be spent, as another draw of questions may cost more.
_MOST_SPENT = 0.48
_COST_WEIGHTS = np.linspace(0.0, 0.3, 121)
_PENALTIES = (100.0, 300.0, 1000.0, 3000.0)
_FOLDS = 5
_QUICK = 200
_RELATIVE = re.compile(r"\b(?:the|that|which|whose|who|where|when)\b", re.IGNORECASE)
_NESTED = re.compile(r"\b(?:of|in|by|for)\b", re.IGNORECASE)
_ASKED = re.compile(r"(?:who|what|when|where|how|which|why)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, and which strategies answered it rightly."""

    question: str
    right: tuple[bool, ...]


def read_outcomes(path: Path) -> list[Answered]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Answered(one["inputs"], tuple(route in one["labels"] for route in range(len(COSTS))))
        for one in lines
    ]


def outcomes(
    embedder: Embedder, train: Path, test: Path | None, seed: int, quick: bool
) -> dict[str, float]:
    """Return the success and cost of choosing a strategy, beside always taking one."""
    learned = read_outcomes(train)
    if test is not None:
        asked = read_outcomes(test)
    else:
        random.Random(seed).shuffle(learned)
        cut = round(_HELD_OUT * len(learned))
        asked, learned = learned[:cut], learned[cut:]
    if quick:
        learned = learned[:_QUICK]
    values, right = _rows(embedder, learned), _right(learned)
    fold = np.random.default_rng(seed).permutation(len(learned)) % _FOLDS
    crossed = [
        _cross_fitted(values, column, fold, _PENALTIES[-1:] if quick else _PENALTIES)
        for column in right.T
    ]
    told = np.stack([one for one, _ in crossed], axis=1)
    heads = [
        fit_logistic(values, column, penalty=penalty)
        for column, (_, penalty) in zip(right.T, crossed, strict=True)
    ]
    spent = {float(weight): _scored(told, right, float(weight)) for weight in _COST_WEIGHTS}
    allowed = [weight for weight, (_, cost) in spent.items() if cost.mean() <= _MOST_SPENT]
    best = max(allowed or [max(spent)], key=lambda weight: spent[weight][0].mean())
    gold = _right(asked)
    asked_rows = _rows(embedder, asked)
    seen = np.stack([head.probability(asked_rows) for head in heads], axis=1)
    found, cost = _scored(seen, gold, best)
    low, high = interval(found)
    least, most = interval(cost)
    # The cheapest that answers rightly; where none does, the cheapest.
    ideal = np.array([next((at for at, good in enumerate(one) if good), 0) for one in gold])
    return {
        "outcomes_questions": len(asked),
        "outcomes_cost_weight": best,
        "outcomes_success": float(found.mean()),
        "outcomes_success_low": low,
        "outcomes_success_high": high,
        "outcomes_cost_share": float(cost.mean()),
        "outcomes_cost_share_low": least,
        "outcomes_cost_share_high": most,
        **{f"outcomes_fixed_{at}": float(gold[:, at].mean()) for at in range(len(COSTS))},
        "outcomes_oracle_success": float(gold.max(axis=1).mean()),
        "outcomes_oracle_cost_share": float(np.array(COSTS)[ideal].mean() / max(COSTS)),
    }


def _rows(embedder: Embedder, questions: Sequence[Answered]) -> np.ndarray:
    """Return what is seen of each question: the cues in its words, and its encoding."""
    encodings = embedder.embed_queries([one.question for one in questions])
    cues = np.array([_cues(one.question) for one in questions], dtype=np.float32)
    return np.hstack([cues, plain_features(encodings)])


def _cues(text: str) -> tuple[float, ...]:
    words = text.split()
    return (
        len(words) / 20,
        len(text) / 100,
        float(len(parts_of(text))),
        float(any(letter.isdigit() for letter in text)),
        sum(word[0].isupper() for word in words[1:]) / 5,
        float(text.islower()),
        len(_RELATIVE.findall(text)) / 4,
        len(_NESTED.findall(text)) / 4,
        float(_ASKED.match(text) is not None),
        float("'s" in text),
        float("," in text),
        float('"' in text),
    )


def _right(questions: Sequence[Answered]) -> np.ndarray:
    return np.array([one.right for one in questions], dtype=float)


def _cross_fitted(
    values: np.ndarray, target: np.ndarray, fold: np.ndarray, penalties: Sequence[float]
) -> tuple[np.ndarray, float]:
    """Return how likely each question is served, told by heads that have not seen it.

    That is `best_logistic`, whose folds serve both the penalty and what is returned: a search
    within each fold takes six times as long.

    :returns: The probabilities, and the penalty under which they are likeliest.
    """
    found: list[tuple[float, float, np.ndarray]] = []
    for penalty in penalties:
        told = np.zeros(len(target))
        for number in range(_FOLDS):
            kept = fold != number
            head = fit_logistic(values[kept], target[kept], penalty=penalty)
            told[~kept] = head.probability(values[~kept])
        sure = np.clip(told, 1e-6, 1 - 1e-6)
        likely = float((target * np.log(sure) + (1 - target) * np.log(1 - sure)).sum())
        found.append((likely, penalty, told))
    _, penalty, told = max(found, key=lambda one: one[0])
    return told, penalty


def _scored(told: np.ndarray, right: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each question was answered, and the share of the dearest that it cost."""
    names = [str(at) for at in range(len(COSTS))]
    policy = Policy(dict(zip(names, COSTS, strict=True)), weight)
    chosen = [int(policy.choose(dict(zip(names, one, strict=True)))[0]) for one in told.tolist()]
    found = right[np.arange(len(right)), chosen]
    return found, np.array(COSTS)[chosen] / max(COSTS)
