"""Hold out examples to measure on, none of them asked in training too."""

import random
from dataclasses import replace

from adapters.training.examples import Example, TrainingData
from adapters.training.sameness import question_keys


def split(data: TrainingData, share: float, seed: int) -> tuple[TrainingData, TrainingData]:
    """Return the data to train on and the data held out.

    Examples that ask nearly the same stay together, so that nothing measured was trained on.

    :param share: How much to hold out, from 0 to below 1.
    :param seed: Which examples; the same seed gives the same ones.
    """
    groups: dict[tuple[object, ...], list[Example]] = {}
    for key, example in zip(question_keys(data.examples), data.examples, strict=True):
        groups.setdefault(key, []).append(example)
    keys = list(groups)
    random.Random(seed).shuffle(keys)  # noqa: S311
    wanted = round(share * len(data.examples))
    held: set[int] = set()
    for key in keys:
        if len(held) + len(groups[key]) <= wanted:
            held.update(example.line for example in groups[key])
    warnings = data.warnings
    if wanted and not held:
        warnings = (*warnings, "nothing could be held out: all rows ask nearly the same")
    return (
        replace(
            data,
            examples=tuple(e for e in data.examples if e.line not in held),
            warnings=warnings,
        ),
        TrainingData(
            data.path,
            tuple(e for e in data.examples if e.line in held),
            sha256=data.sha256,
        ),
    )
