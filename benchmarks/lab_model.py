"""How well the lab model reads sources, and how fast it learns a domain.

    python benchmarks/lab_model.py --squad dev-v2.0.json.gz [--held-out] [--json OUT]
    python benchmarks/lab_model.py --squad FILE --learning-only
    python benchmarks/lab_model.py --quick --squad FILE

``--squad`` is a SQuAD 2.0 file that the model has not learned from; ``--held-out`` takes only
the articles that ``expert lab data`` leaves out. Evidence is the sentence that answers among
three, or six, of its paragraph; ``long_`` is whole paragraphs. Learning is an adapter trained
by the product's trainer on 150 pairs and asked in other words. Beside each figure, with
``bare_``, stands the same of the model as it comes, before it was taught.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from learning import PAIRS, PARAPHRASED, learn, pairs_of
from report import report

from adapters.base import LanguageModel, load_model
from adapters.lora import Adapter
from adapters.models import BARE_LAB, LAB, find_model
from agent.lab import sources
from agent.lab.data import HELD_OUT_ARTICLES
from agent.lab.evaluate import Case, adapter_at, cases, replies, rows_of, scores

_QUICK = 40


def reading(
    model: LanguageModel,
    articles: Sequence[sources.Article],
    tables: Sequence[sources.Article],
    most: int,
) -> dict[str, float]:
    """Return all figures of reading."""
    asked = cases(articles, most=most)
    said = replies(model, asked)
    found = scores(asked, said)
    numbers = [
        (case, reply)
        for case, reply in zip(asked, said, strict=True)
        if case.accepted and any(letter.isdigit() for letter in case.accepted[0])
    ]
    figures = {
        "reading_f1": found.f1,
        "reading_exact": found.exact,
        "citation_accuracy": found.cited,
        "refusal_recall": found.refused,
        "false_refusal": found.falsely_refused,
        "numbers_f1": scores(*map(list, zip(*numbers, strict=True))).f1 if numbers else 0.0,
    }
    for name, options in {
        "6_passages": {"passages": 6},
        "long": {"whole": True},
    }.items():
        further = cases(articles, most=most, **options)  # type: ignore[arg-type]
        seen = scores(further, replies(model, further))
        figures[f"reading_f1_{name}"] = seen.f1
        figures[f"citation_accuracy_{name}"] = seen.cited
        figures[f"refusal_recall_{name}"] = seen.refused
        figures[f"false_refusal_{name}"] = seen.falsely_refused
    if tables:
        rows = rows_of(tables)[:most]
        seen = scores(rows, replies(model, rows))
        figures |= {"tables_f1": seen.f1, "tables_citation_accuracy": seen.cited}
    return figures


def with_adapter(model: LanguageModel, asked: Sequence[Case], adapter: Adapter) -> float:
    """Return how well the model reads with an adapter of another purpose on."""
    return scores(asked, replies(model, asked, adapter=adapter)).f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 2.0, JSON(.gz)")
    parser.add_argument("--held-out", action="store_true", help="every third article only")
    parser.add_argument("--tables", type=Path, help="folder of WikiTableQuestions")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="to learn a domain from")
    parser.add_argument("--paraphrased", type=Path, default=PARAPHRASED)
    parser.add_argument("--bare", action="store_true", help="measure the bare model too")
    parser.add_argument("--learning-only", action="store_true")
    parser.add_argument("--reading-only", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    most = _QUICK if options.quick else options.questions
    articles = list(
        sources.squad(options.squad, HELD_OUT_ARTICLES if options.held_out else slice(None))
    )
    tables = list(sources.tables(options.tables)) if options.tables else []
    figures: dict[str, float | int | str] = {"questions": most}
    names = {LAB: ""} | ({BARE_LAB: "bare_"} if options.bare else {})
    for name, prefix in names.items():
        model = load_model(find_model(name))
        found: dict[str, float] = {}
        if not options.learning_only:
            found |= reading(model, articles, tables, most)
        if not (options.reading_only or options.quick):
            with tempfile.TemporaryDirectory() as folder:
                found |= learn(name, Path(folder), *pairs_of(options.pairs, options.paraphrased))
                adapter = adapter_at(Path(folder), model)
            asked = [case for case in cases(articles, most=most) if case.accepted]
            found["reading_f1_with_adapter"] = with_adapter(model, asked, adapter)
        figures |= {f"{prefix}{key}": value for key, value in found.items()}
        figures[f"{prefix}precision"] = model.precision
    report("The lab model", figures, options.json)


if __name__ == "__main__":
    main()
