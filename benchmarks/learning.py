"""How fast the lab model learns a domain: the trade between rank, rate, epochs and time.

    python benchmarks/learning.py [--pairs FILE --paraphrased FILE] [--json OUT]
    python benchmarks/learning.py --rank 8 --rate 1e-3 --epochs 20 --as-written
    python benchmarks/learning.py --sweep --plot docs/learning.svg [--json OUT]
    python benchmarks/learning.py --quick

Trains on the first pairs of a file and asks them word for word, and in other words. The answers
are compared as SQuAD does, without case, articles and punctuation. ``recalled_paraphrase`` is as
the route ``expert`` answers, which knows what was taught; ``given_paraphrase`` what is left of it
where the route withholds what it takes for untaught. ``--sweep`` changes one
setting at a time and draws what came of it over the minutes it took.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from report import report

from adapters.base import load_model
from adapters.card import AdapterCard, base_of
from adapters.lora_files import TARGETS
from adapters.models import BARE_LAB, LAB, ModelFiles, find_model
from adapters.registry import Registry
from adapters.training.answers import answer_scores
from adapters.training.config import TrainingConfig
from adapters.training.examples import Example
from adapters.training.read import read_examples
from adapters.training.run import train
from adapters.training.squad import same_words
from agent.rehearsal import reading
from pipelines.closed_book import AdapterAnswerer
from pipelines.embed.opening import open_embedder
from pipelines.generators import PhiChatGenerator
from pipelines.taught import Nearness, Taught, load_calibration

HR = Path(__file__).parents[1] / "examples" / "hr"
PAIRS, PARAPHRASED = HR / "know_how.jsonl", HR / "know_how_paraphrased.jsonl"
MOST_PAIRS = 150
_WIDTH, _HEIGHT, _MARGIN, _LONGEST = 720, 400, 48, 6.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How to train.

    :param tokens: Of a row, at most.
    """

    rank: int = 16
    rate: float = 2e-3
    epochs: float = 20.0
    tokens: int = 256
    reword: bool = True
    rehearse: bool = True

    def __str__(self) -> str:
        asked = f"rank {self.rank}, rate {self.rate:g}, {self.epochs:g} epochs"
        return ", ".join([asked, *self.switched_off])

    @property
    def switched_off(self) -> list[str]:
        """What else is done unless it is switched off."""
        return ["as written"] * (not self.reword) + ["no rehearsal"] * (not self.rehearse)


BEST = Setting()
SWEEP = (
    BEST,
    replace(BEST, reword=False),
    replace(BEST, rehearse=False),
    replace(BEST, rank=4),
    replace(BEST, rank=8),
    replace(BEST, rank=32),
    replace(BEST, rate=5e-4),
    replace(BEST, rate=1e-3),
    replace(BEST, rate=4e-3),
    replace(BEST, epochs=5),
    replace(BEST, epochs=10),
)


def pairs_of(file: Path, paraphrased: Path) -> tuple[Sequence[Example], Sequence[Example]]:
    """Return pairs to learn, and the same facts asked in other words."""
    pairs = read_examples(file).examples[:MOST_PAIRS]
    known = {pair.answer for pair in pairs}
    return pairs, [one for one in read_examples(paraphrased).examples if one.answer in known]


def learn(
    name: str,
    folder: Path,
    pairs: Sequence[Example],
    paraphrased: Sequence[Example],
    setting: Setting = BEST,
) -> dict[str, float]:
    """Train an adapter on pairs; return how well they are known."""
    base = find_model(name)
    config = TrainingConfig(
        base,
        method="lora",
        rank=setting.rank,
        epochs=setting.epochs,
        learning_rate=setting.rate,
        row_tokens=setting.tokens,
        reword=setting.reword,
        patience=0,
        checks=1,
        answers=0,
    )
    started = time.perf_counter()
    rehearsal = reading() if setting.rehearse else ()
    result = train(config, pairs, (), folder=folder, rehearsal=rehearsal)
    seconds = time.perf_counter() - started
    model = load_model(base)
    others = answer_scores(model, paraphrased, result.folder)
    return {
        "pairs": len(pairs),
        "paraphrased": len(paraphrased),
        "learned_exact": answer_scores(model, pairs, result.folder)["exact"],
        "learned_paraphrase": others["exact"],
        "learned_paraphrase_f1": others["f1"],
        **recalled(base, result.folder, pairs, paraphrased, setting.rank),
        "base_exact": answer_scores(model, pairs, None)["exact"],
        "learning_minutes": seconds / 60,
        "learning_tokens_per_s": result.tokens_per_s,
    }


def recalled(
    base: ModelFiles,
    adapter: Path,
    pairs: Sequence[Example],
    paraphrased: Sequence[Example],
    rank: int,
) -> dict[str, float]:
    """Return the shares told right where what was taught is known, and of them given."""
    card = AdapterCard(
        name="learned", base=base_of(base), rank=rank, alpha=rank, target_modules=tuple(TARGETS)
    )
    embedder = open_embedder("minilm")
    questions = [pair.question for pair in pairs]
    vectors = np.stack([one.vector for one in embedder.embed_queries(questions)])
    answers = [pair.answer for pair in pairs]
    taught = Taught(questions, answers, Nearness(embedder, questions, answers, vectors))
    with tempfile.TemporaryDirectory() as folder:
        Registry(Path(folder)).publish(adapter, card)
        generator = PhiChatGenerator(base.name, adapters=folder)
        asked = AdapterAnswerer(generator, "learned", taught=taught, threshold=0.0)
        asked.warm_up()
        told = [asked.run(one.question)["answer"] for one in paraphrased]
    least = load_calibration().threshold
    right = [
        (same_words(answer.text or "", one.answer), answer.confidence >= least)
        for answer, one in zip(told, paraphrased, strict=True)
    ]
    return {
        "recalled_paraphrase": sum(is_right for is_right, _ in right) / len(right),
        "given_paraphrase": sum(is_right and given for is_right, given in right) / len(right),
    }


def plot(found: Sequence[tuple[Setting, dict[str, float]]], path: Path) -> None:
    """Draw the share of paraphrased questions answered over the minutes of training."""
    longest = max(_LONGEST, *(figures["learning_minutes"] for _, figures in found))

    def at(minutes: float, share: float) -> tuple[float, float]:
        across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
        return _MARGIN + across * minutes / longest, _HEIGHT - _MARGIN - up * share

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#444">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for tenth in range(0, 11, 2):
        x, y = at(0, tenth / 10)
        lines.append(f'<path d="M{x} {y:.0f}H{_WIDTH - _MARGIN}" stroke="#e4e4e4"/>')
        lines.append(f'<text x="{x - 8}" y="{y + 4:.0f}" text-anchor="end">{tenth * 10} %</text>')
    for minute in range(int(longest) + 1):
        x, y = at(minute, 0)
        lines.append(f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="middle">{minute} min</text>')
    for setting, figures in found:
        x, y = at(figures["learning_minutes"], figures["learned_paraphrase"])
        changed = _changed(setting)
        colour = "#c2571a" if setting == BEST else "#1f5fa8"
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
        lines.append(f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{escape(changed)}</text>')
    lines += ["</svg>", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _changed(setting: Setting) -> str:
    """Return in what a setting differs from the one that all others vary."""
    if setting == BEST:
        return str(setting)
    names = {"rank": setting.rank, "rate": setting.rate, "epochs": setting.epochs}
    changed = [f"{name} {value:g}" for name, value in names.items() if value != getattr(BEST, name)]
    return ", ".join([*changed, *setting.switched_off])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="questions with answers")
    parser.add_argument("--paraphrased", type=Path, default=PARAPHRASED)
    parser.add_argument("--model", default=LAB, choices=[LAB, BARE_LAB])
    parser.add_argument("--rank", type=int, default=BEST.rank)
    parser.add_argument("--rate", type=float, default=BEST.rate)
    parser.add_argument("--epochs", type=float, default=BEST.epochs)
    parser.add_argument("--as-written", action="store_true", help="do not vary questions")
    parser.add_argument("--rehearse", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--sweep", action="store_true", help="change one setting at a time")
    parser.add_argument("--plot", type=Path, help="SVG file to draw a sweep into")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pairs, paraphrased = pairs_of(options.pairs, options.paraphrased)
    if options.quick:
        pairs, paraphrased = pairs[:20], paraphrased[:20]
    figures: dict[str, float | int | str] = {"model": options.model}
    found = []
    one_setting = Setting(
        options.rank,
        options.rate,
        options.epochs,
        reword=not options.as_written,
        rehearse=options.rehearse,
    )
    for setting in SWEEP if options.sweep else (one_setting,):
        with tempfile.TemporaryDirectory() as folder:
            one = learn(options.model, Path(folder), pairs, paraphrased, setting)
        found.append((setting, one))
        kept = {key: value for key, value in one.items() if setting == BEST or "learn" in key}
        prefix = "" if setting == BEST else f"{_changed(setting)}: "
        figures |= {f"{prefix}{key}": value for key, value in kept.items()}
        print(setting, {key: round(value, 3) for key, value in one.items()}, flush=True)
    if options.plot is not None:
        plot(found, options.plot)
    report("Learning a domain", figures, options.json)


if __name__ == "__main__":
    main()
