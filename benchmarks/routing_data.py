"""CLINC150 and BANKING77 as the routing benchmark asks them."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Labelled = Sequence[tuple[str, int]]
"""Questions with their classes, -1 for none."""

_NONE = "oos"
_NONE_REPEATED = 4
_HELD_OUT, _CALIBRATION = 0.2, 0.05


@dataclass(frozen=True, slots=True)
class Task:
    """What to learn, and what to ask.

    :param calibration: Held-out questions to calibrate on.
    """

    labels: Sequence[str]
    train: Labelled
    calibration: Labelled
    test: Labelled


def read_clinc(train: Path, test: Path | None, seed: int) -> tuple[Task, str]:
    """Return CLINC150, and what was held out for a test where there is no test file."""
    content = json.loads(train.read_text(encoding="utf-8"))
    if test is not None:
        content |= json.loads(test.read_text(encoding="utf-8"))
    labels = sorted({label for _, label in content["train"]})
    place = {label: at for at, label in enumerate(labels)} | {_NONE: -1}

    def part(name: str) -> list[tuple[str, int]]:
        return [(text, place[label]) for text, label in content.get(name, ())]

    learned = part("train") + _NONE_REPEATED * part("oos_train")
    kinds = part("val"), part("oos_val")
    if "test" in content:
        return Task(labels, learned, kinds[0] + kinds[1], part("test") + part("oos_test")), ""
    for kind in kinds:
        random.Random(seed).shuffle(kind)
    known = [pair for kind in kinds for pair in kind[: len(kind) // 2]]
    asked = [pair for kind in kinds for pair in kind[len(kind) // 2 :]]
    return Task(labels, learned, known, asked), "CLINC150: half of its validation questions"


def read_banking(train: Path, test: Path | None, seed: int) -> tuple[Task, str]:
    """Return BANKING77, and what was held out for a test where there is no test file."""
    learned = _csv(train)
    labels = sorted({label for _, label in learned})
    said = ""
    if test is not None:
        asked = _csv(test)
    else:
        asked, learned = _stratified(learned, _HELD_OUT, seed)
        said = "BANKING77: a fifth of its training questions"
    known, learned = _stratified(learned, _CALIBRATION, seed)
    place = {label: at for at, label in enumerate(labels)}
    parts = ([(text, place[label]) for text, label in one] for one in (learned, known, asked))
    return Task(labels, *parts), said


def _csv(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(line["text"], line["category"]) for line in csv.DictReader(file)]


def _stratified(
    questions: Sequence[tuple[str, str]], share: float, seed: int
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return a share of the questions of each class, and the others."""
    of_class: dict[str, list[tuple[str, str]]] = {}
    for one in random.Random(seed).sample(questions, len(questions)):
        of_class.setdefault(one[1], []).append(one)
    cuts = {label: max(1, round(share * len(members))) for label, members in of_class.items()}
    return (
        [one for label, members in of_class.items() for one in members[: cuts[label]]],
        [one for label, members in of_class.items() for one in members[cuts[label] :]],
    )


def fewer(task: Task, labels: Sequence[str], each: int) -> Task:
    """Return a task of some of its classes alone, and fewer questions of each."""
    place = {task.labels.index(label): at for at, label in enumerate(labels)} | {-1: -1}

    def kept(questions: Labelled, most: int) -> Labelled:
        seen: dict[int, int] = {}
        found = []
        for text, at in questions:
            seen[at] = seen.get(at, 0) + 1
            if at in place and seen[at] <= (most if at >= 0 else 5 * most):
                found.append((text, place[at]))
        return found

    return Task(labels, kept(task.train, each), kept(task.calibration, each), kept(task.test, each))
