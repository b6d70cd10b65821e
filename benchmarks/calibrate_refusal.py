"""Choose the bias at which the lab model refuses one in ten of the questions it could answer.

    python benchmarks/calibrate_refusal.py --squad dev-v2.0.json.gz [--share 0.1] [--json OUT]

The file is a SQuAD 2.0 one, of whose articles only those are asked that ``expert lab data``
leaves out. The bias is chosen on every second question and measured on the others. It belongs
into ``adapters/lab.py``.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import report

from adapters.base import LanguageModel, load_model
from adapters.batch import Request
from adapters.generate import TextGenerator
from adapters.models import LAB, find_model
from agent.lab import sources
from agent.lab.data import HELD_OUT_ARTICLES
from agent.lab.evaluate import Case, cases

_AT_ONCE = 32
_NEVER = -1e4


def firsts(
    model: LanguageModel, asked: Sequence[Case], token: int, bias: float
) -> list[tuple[bool, float]]:
    """Return whether each reply begins with a token, and the log-probability of how it begins."""
    generator = TextGenerator(replace(model, bias={token: bias}), prefix_bytes=0)
    found = []
    for first in range(0, len(asked), _AT_ONCE):
        requests = [
            Request(model.markup.render(list(case.messages)), max_new_tokens=1)
            for case in asked[first : first + _AT_ONCE]
        ]
        for one in generator.generate(requests):
            assert one.first_log_probability is not None
            found.append((one.tokens[0] == token, one.first_log_probability))
    return found


def margins(model: LanguageModel, asked: Sequence[Case], token: int) -> np.ndarray:
    """Return how much likelier than any other beginning a refusal is, as logits' difference."""
    made = []
    free = firsts(model, asked, token, 0.0)
    for (refused, likely), (_, other) in zip(
        free, firsts(model, asked, token, _NEVER), strict=True
    ):
        # `other` is the best other beginning's where refusing is impossible.
        refusing = likely if refused else math.log(max(-math.expm1(likely - other), 1e-9))
        made.append(refusing - other - math.log(max(-math.expm1(refusing), 1e-9)))
    return np.array(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 2.0, JSON(.gz)")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.1, help="refused of those answered")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = cases(list(sources.squad(options.squad, HELD_OUT_ARTICLES)), most=options.questions)
    model = load_model(find_model(LAB))
    (token,) = model.bias
    found = margins(model, asked, token)
    answered = np.array([bool(case.accepted) for case in asked])
    chosen_on = np.arange(len(asked)) % 2 == 0
    bias = -float(np.quantile(found[answered & chosen_on], 1 - options.share))
    figures: dict[str, float | int | str] = {
        "precision": model.precision,
        "bias": bias,
        "bias_in_force": model.bias[token],
    }
    for name, at in (("none", 0.0), ("in_force", model.bias[token]), ("chosen", bias)):
        figures[f"refused_{name}"] = float((found[~answered & ~chosen_on] > -at).mean())
        figures[f"falsely_refused_{name}"] = float((found[answered & ~chosen_on] > -at).mean())
    report("Refusing", figures, options.json)


if __name__ == "__main__":
    main()
