"""How well sentences that a text backs are told from others.

    python benchmarks/grounding.py --studies give_dev.json.gz [--limit 300] [--json OUT]

The file is a PubMedQA one. Conclusions, which say in other words what an abstract says, are held
against their own abstract and against the one whose question is nearest: what is kept of the
former, and wrongly of the latter. Sentences of the abstracts are held against these as they
stand, and with one number, one name or one denial changed. ``words`` is what two checks of
the words alone keep: three quarters of them there, and half.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from report import report

from adapters.training.sameness import content_words
from pipelines.embed.opening import open_embedder
from pipelines.evidence import Evidence
from pipelines.facts import names, stems
from pipelines.ground import ground
from pipelines.sentences import sentence_spans

_NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?![\w,-]|\.\d)")
_HELPER = re.compile(r"\b(?:was|were|is|are|did|can|has|have)\b(?! not\b)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--studies", type=Path, required=True, help="PubMedQA, JSON(.gz)")
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="forty studies")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    opened = gzip.open if options.studies.suffix == ".gz" else open
    with opened(options.studies, "rt", encoding="utf-8") as file:
        studies = list(json.load(file).values())[: 40 if options.quick else options.limit]
    questions = [study["QUESTION"] for study in studies]
    texts = [" ".join(study["CONTEXTS"]) for study in studies]
    vectors = open_embedder("minilm").embed_passages(questions).vectors
    nearest = (vectors @ vectors.T - 2 * np.eye(len(studies))).argmax(axis=1)
    chance = random.Random(0)
    kept: dict[str, list[bool]] = {}
    for n, study in enumerate(studies):
        conclusions = sentences(study["LONG_ANSWER"])
        for name, text in (("own", texts[n]), ("nearest", texts[nearest[n]])):
            for said in conclusions:
                kept.setdefault(f"conclusions_{name}", []).append(is_kept(questions[n], said, text))
                known = stems(content_words(f"{questions[n]} {text}"))
                words = stems(content_words(said))
                share = len(words & known) / max(len(words), 1)
                kept.setdefault(f"words_75_{name}", []).append(share >= 0.75)
                kept.setdefault(f"words_50_{name}", []).append(share >= 0.5)
        other = sorted(names(texts[nearest[n]]) - names(texts[n]))
        for said in sentences(texts[n])[:6]:
            kept.setdefault("verbatim", []).append(is_kept(questions[n], said, texts[n]))
            for name, changed in altered(said, texts[n], other, chance):
                kept.setdefault(f"changed_{name}", []).append(is_kept("", changed, texts[n]))
    figures: dict[str, float | int | str] = {"studies": len(studies)}
    for name, found in kept.items():
        figures[f"{name}_kept"] = float(np.mean(found))
        figures[f"{name}_count"] = len(found)
    report("Grounding", figures, options.json)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def is_kept(question: str, said: str, text: str) -> bool:
    return bool(
        ground(question, said, [Evidence("", "", None, "", 0, len(text), None, text, 1)]).reply
    )


def altered(
    said: str, text: str, others: list[str], chance: random.Random
) -> Iterator[tuple[str, str]]:
    """Yield how a sentence was changed, and the sentence."""
    if numbers := list(_NUMBER.finditer(said)):
        found = chance.choice(numbers)
        other = next(n for n in range(int(found[0]) + 1, 2000) if str(n) not in text)
        yield "number", f"{said[: found.start()]}{other}{said[found.end() :]}"
    known = list(re.finditer(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b", said))
    if known and others:
        found = chance.choice(known)
        yield "name", f"{said[: found.start()]}{chance.choice(others).title()}{said[found.end() :]}"
    if helper := _HELPER.search(said):
        yield "denial", f"{said[: helper.end()]} not{said[helper.end() :]}"


if __name__ == "__main__":
    main()
