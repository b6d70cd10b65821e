"""Examples as the trainer takes them: tokens and labels, packed into rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.chat_markup import ChatMarkup
from adapters.errors import TrainingError
from adapters.training.examples import Example
from adapters.training.render import IGNORED, render

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples packed into rows, best fit first; none is cut.

    :param dataset: A row has ``input_ids``, ``labels`` and ``seq_lengths``.
    :param tokens: In all rows.
    :param longest: Tokens of the longest row.
    :param most_learned: Tokens with a label, of the row that has most.
    """

    dataset: "Dataset"
    tokens: int
    longest: int
    most_learned: int

    def __len__(self) -> int:
        return len(self.dataset)


# Shorter ones would leave a processor idle.
_LEAST_TOKENS = 256


def pack(
    examples: Sequence[Example],
    markup: ChatMarkup,
    tokens: int,
    window: int,
    *,
    least_rows: int = 1,
) -> Rows:
    """Return examples packed into rows.

    :param markup: The model's own.
    :param tokens: Of a row at most; a longer example is a row of its own.
    :param window: Tokens that the model reads at most.
    :param least_rows: Make rows shorter for about so many.
    :raises GenerationError: When the model's template cannot write an example.
    :raises TrainingError: When one is longer than the window.
    """
    from datasets import Dataset, concatenate_datasets
    from trl.data_utils import pack_dataset

    rendered = []
    for example in examples:
        ids, labels = render(example, markup)
        if len(ids) > window:
            raise TrainingError(
                f"line {example.line} takes {len(ids):,} tokens of the model's {window:,}: "
                "shorten or remove it"
            )
        rendered.append({"input_ids": ids, "labels": labels})
    total = sum(len(row["input_ids"]) for row in rendered)
    tokens = min(tokens, max(_LEAST_TOKENS, total // least_rows))
    short = [row for row in rendered if len(row["input_ids"]) <= tokens]
    long = [row for row in rendered if len(row["input_ids"]) > tokens]
    parts = []
    if short:
        parts.append(
            pack_dataset(Dataset.from_list(short), tokens, "bfd", {"keep_in_memory": True})
        )
    if long:
        alone = [{**row, "seq_lengths": [len(row["input_ids"])]} for row in long]
        known = parts[0].features if parts else None
        parts.append(Dataset.from_list(alone, features=known))
    dataset = concatenate_datasets(parts)
    lengths = [sum(row) for row in dataset["seq_lengths"]]
    learned = [sum(label != IGNORED for label in row) for row in dataset["labels"]]
    return Rows(dataset, sum(lengths), max(lengths), max(learned))
