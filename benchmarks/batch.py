"""Many questions at once beside a loop of single ones, and whether the answers are the same.

    python benchmarks/batch.py [--questions 64] [--quick] [--json OUT]

Asks the questions of examples/health over its documents: by ``Expert.ask`` one after another,
by ``Expert.ask_many``, and by a plain loop over Haystack's pipeline with the same parts (retrieval,
prompt, generator). The language model writes every answer. ``equal_share`` is of the first two's
answers, with their citations; ``route_retrieve_per_s`` are questions routed and searched for.
"""

import argparse
import tempfile
import time
from pathlib import Path

from answers import index_folder
from report import report

from adapters.lab import lab_model
from agent.assemble import open_generator, open_pipeline
from agent.expert import Expert, Reply
from agent.suite import read_suite
from agent.workspace import Workspace
from pipelines.phi3 import prompt
from pipelines.search import retrieve

EXAMPLE = Path(__file__).parents[1] / "examples" / "health"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="sixteen questions")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    count = 16 if options.quick else options.questions
    asked = [one.question for one in read_suite(EXAMPLE / "questions.jsonl").questions][:count]
    lab_model()
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary) / ".expert")
        index_folder(EXAMPLE / "documents", workspace)
        with Expert(workspace, answerer="phi3") as expert:
            expert.ask(asked[0])
            started = time.perf_counter()
            single = [expert.ask(question) for question in asked]
            alone = time.perf_counter() - started
        with Expert(workspace, answerer="phi3") as expert:
            expert.ask(asked[0])
            started = time.perf_counter()
            many = list(expert.ask_many(asked))
            together = time.perf_counter() - started
        with open_pipeline(workspace) as pipeline:
            generator = open_generator(workspace)
            generator.run(prompt(asked[0], retrieve(pipeline, asked[0]).evidence))
            started = time.perf_counter()
            for question in asked:
                generator.run(prompt(question, retrieve(pipeline, question).evidence))
            plain = time.perf_counter() - started
        with Expert(workspace) as expert:
            expert.decide(asked[0])
            started = time.perf_counter()
            for question in asked:
                expert.decide(question)
            routed = time.perf_counter() - started
    same = [
        isinstance(other, Reply)
        and (one.answer.text, one.answer.citations) == (other.answer.text, other.answer.citations)
        for one, other in zip(single, many, strict=True)
    ]
    figures: dict[str, float | int | str] = {
        "questions": len(asked),
        "ask_per_s": len(asked) / alone,
        "ask_many_per_s": len(asked) / together,
        "vs_ask_loop": alone / together,
        "vs_haystack_loop": plain / together,
        "equal_share": sum(same) / len(same),
        "route_retrieve_per_s": len(asked) / routed,
    }
    report("Batch", figures, options.json)


if __name__ == "__main__":
    main()
