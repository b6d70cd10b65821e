"""Questions on passages, for an adapter to rehearse reading while it learns something else."""

import json
from pathlib import Path

from adapters.training.examples import Example, Message
from agent.lab.compose import evidence_of, over
from agent.training_context import REFUSES

_FILE = Path(__file__).with_name("rehearsal.jsonl")


def reading() -> list[Example]:
    """Return questions in the product's own prompt, each over some sentences of a document.

    The documents and their questions were made up for this project; of three questions one has
    no answer there. An answer ends with the number of the sentence that gives it.
    """
    made = []
    for number, line in enumerate(_FILE.read_text(encoding="utf-8").splitlines(), 1):
        row = json.loads(line)
        shown = [evidence_of(row["title"], sentence) for sentence in row["sentences"]]
        for question, answer, place in row["asked"]:
            turns = over(question, shown, REFUSES if place is None else f"{answer} [{place}]")
            made.append(Example(tuple(Message(**turn) for turn in turns), number))
    return made
