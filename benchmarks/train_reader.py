"""Train the reader's weights anew: which words of a text answer a question, if any.

    python benchmarks/train_reader.py --squad train-v1.1.json.gz --squad2 dev-v2.0.json.gz \\
        --tables FOLDER --reports FILE --minutes 60 --out FILE
    python benchmarks/train_reader.py … --start FILE --learning-rate 8e-5 --passes 1 \\
        --lookups benchmarks/lookups/learned.jsonl --documents FOLDER \\
        --apart benchmarks/lookups/{companies,pages,collection}_learned.jsonl --texts 7000
    python benchmarks/train_reader.py … --device cuda --batch-tokens 32768 --passes 8

The encoder that embeds passages is trained further to read a question and a text together
(Devlin et al. 2019 for the span, Rajpurkar et al. 2018 for its absence at the first
token). Its word embeddings stay as they are, so that they need not be shipped again.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from reader_attention import attend_plainly
from reader_batches import answer_tokens, learning_scores, padded
from reader_data import Example, articles_in, financial_texts, squad, tables
from reader_lookups import Grouped, look_up, look_up_apart
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from agent.lab.data import HELD_OUT_ARTICLES, SQUAD_LEARNED
from pipelines.embed.model_files import find_model
from pipelines.read.torch_reader import TorchReader, load_reader

_LONGEST = 224
# What only the first layers know of words serves as it is, and costs no gradients.
_FROZEN_LAYERS = 2


class Tokenised:
    """Examples as token ids with the places of their answers; 0 is the first token.

    :param most: Tokens of a batch, its padding included.
    :param device: Where batches go.
    """

    def __init__(
        self, tokenizer: Tokenizer, examples: Sequence[Example], most: int, device: str
    ) -> None:
        self._most, self._device = most, device
        encodings = tokenizer.encode_batch([(e.question, e.joined()[0]) for e in examples])
        self.ids: list[list[int]] = []
        self.places: list[tuple[int, int]] = []
        for example, encoding in zip(examples, encodings, strict=True):
            first = last = 0
            if example.start >= 0:
                inside = answer_tokens(encoding, example)
                if not inside or inside[-1] >= _LONGEST:
                    continue
                first, last = inside[0], inside[-1]
            self.ids.append(encoding.ids[:_LONGEST])
            self.places.append((first, last))

    def losses(self, chance: random.Random) -> Iterator["TextLoss"]:
        """Yield :meth:`batches` as their losses."""
        for ids, mask, places in self.batches(chance):
            yield TextLoss(ids, mask, places)

    def batches(self, chance: random.Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield ids, masks and places, texts of like length together, in random order."""
        order = sorted(range(len(self.ids)), key=lambda n: len(self.ids[n]) + chance.random() * 8)
        groups, group = [], []
        for number in order:
            if group and (len(group) + 1) * len(self.ids[number]) > self._most:
                groups.append(group)
                group = []
            group.append(number)
        groups.append(group)
        chance.shuffle(groups)
        for group in groups:
            ids, mask = padded([self.ids[n] for n in group], self._device)
            yield ids, mask, torch.tensor([self.places[n] for n in group]).to(self._device)


@dataclass(frozen=True)
class TextLoss:
    """What is wrong with a reader's scores of some texts, each by itself."""

    ids: Tensor
    mask: Tensor
    places: Tensor

    def __call__(self, model: TorchReader) -> Tensor:
        """Return the mean loss a text, with gradients."""
        scores = learning_scores(model, self.ids, self.mask)
        first = functional.cross_entropy(scores[..., 0], self.places[:, 0])
        return first + functional.cross_entropy(scores[..., 1], self.places[:, 1])


def train(
    model: TorchReader,
    data: Sequence[Tokenised | Grouped],
    held_out: Tokenised,
    minutes: float,
    passes: float,
    learning_rate: float,
    chance: random.Random,
    save: Callable[[], None],
) -> None:
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01, fused=True)
    # Time of the processors, so that a run may be paused.
    started, losses, step = time.process_time(), [], 0
    done = 0.0
    while done < 1:
        batches = [batch for one in data for batch in one.losses(chance)]
        chance.shuffle(batches)
        total = int(len(batches) * passes)
        for loss_of in batches:
            # Whichever ends first, the steps or the time, decides the learning rate.
            spent = (time.process_time() - started) / 60 / torch.get_num_threads()
            done = max(step / total, spent / minutes)
            if done >= 1:
                break
            rate = min(1, step / 200) * (1 - done)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * rate
            loss = loss_of(model)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            losses.append(loss.item())
            step += 1
            if step % 50 == 0:
                loss_now = np.mean(losses[-100:])
                print(f"{step}/{total} ({done:.0%}): loss {loss_now:.3f}", flush=True)
            if step % 500 == 0:
                print(json.dumps(measure(model, held_out)), flush=True)
                save()


@torch.no_grad()
def measure(model: TorchReader, data: Tokenised) -> dict[str, float]:
    """Return how often the span and its presence are right."""
    exact, present, absent, margins, labels = [], [], [], [], []
    for ids, mask, places in data.batches(random.Random(0)):
        scores = learning_scores(model, ids, mask)
        first, last = scores.unbind(-1)
        pairs = first[:, 1:, None] + last[:, None, 1:]
        width = pairs.shape[1]
        allowed = torch.ones(width, width, device=ids.device).triu().tril(30).bool()
        best, at = pairs.masked_fill(~allowed, -1e9).flatten(1).max(1)
        margin = best - first[:, 0] - last[:, 0]
        answered = places[:, 0] > 0
        span = torch.stack([at // width + 1, at % width + 1], 1)
        exact += (span == places).all(1)[answered].tolist()
        present += (margin > 0)[answered].tolist()
        absent += (margin <= 0)[~answered].tolist()
        margins += margin.tolist()
        labels += answered.tolist()
    order = np.argsort(np.argsort(margins))
    labels_ = np.array(labels)
    positive = labels_.sum()
    auc = (order[labels_].sum() - positive * (positive - 1) / 2) / max(
        positive * (len(labels_) - positive), 1
    )
    return {
        "exact": np.mean(exact),
        "present": np.mean(present),
        "absent": np.mean(absent),
        "auroc": float(auc),
    }


def examples(
    options: argparse.Namespace, chance: random.Random
) -> tuple[list[Example], list[Example]]:
    """Return single texts to learn from, and those held out."""
    given = list(squad(options.squad, chance, slice(0, SQUAD_LEARNED)))
    if options.squad2:
        articles = range(articles_in(options.squad2))
        held = set(articles[HELD_OUT_ARTICLES])
        apart = [list(squad(options.squad2, chance, slice(n, n + 1))) for n in articles]
        given += [one for n in articles if n not in held for one in apart[n]] * 2
        rest = [one for n in sorted(held) for one in apart[n]]
    else:
        rest = list(squad(options.squad, chance, slice(SQUAD_LEARNED, None)))
    if options.tables:
        rows = list(tables(options.tables, chance))
        print(f"{len(rows)} table look-ups")
        given += rows[300:] * 2
        rest += rows[:300]
    if options.reports:
        given += list(financial_texts(options.reports, chance)) * 2
    return given, rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 1.1, JSON(.gz)")
    parser.add_argument("--squad2", type=Path, help="SQuAD 2.0; a third of it is held out")
    parser.add_argument("--tables", type=Path, help="folder of WikiTableQuestions")
    parser.add_argument("--reports", type=Path, help="TAT-QA, JSON.gz")
    parser.add_argument("--lookups", type=Path, help="questions on documents, JSON lines")
    parser.add_argument("--documents", type=Path, help="the folder of those documents")
    parser.add_argument(
        "--apart", type=Path, nargs="*", default=[], help="documents with questions, JSON lines"
    )
    parser.add_argument("--texts", type=int, help="of the others' examples, that many at random")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--passes", type=float, default=2)
    parser.add_argument("--batch-tokens", type=int, default=3072, help="padding included")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    folder = find_model("minilm").folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    given, rest = examples(options, chance)
    chance.shuffle(given)
    chance.shuffle(rest)
    data, held_out = (
        Tokenised(tokenizer, some, options.batch_tokens, options.device)
        for some in (given[: options.texts], rest[:3000])
    )
    print(f"{len(data.ids)} examples, {sum(map(len, data.ids)) / len(data.ids):.0f} tokens each")
    sources: list[Tokenised | Grouped] = [data]
    lookups = list(look_up(options.lookups, options.documents)) if options.lookups else []
    for path in options.apart:
        lookups += look_up_apart(path)
    if lookups:
        print(f"{len(lookups)} look-ups")
        sources.append(Grouped(tokenizer, lookups, options.device))
    model = load_reader(folder, options.start) if options.start else TorchReader(folder)
    attend_plainly(model)
    # And no dropout, with which a step takes twice as long: a pass or two need none.
    model.eval().body.embeddings.requires_grad_(False)
    for layer in model.body.encoder.layer[:_FROZEN_LAYERS]:
        layer.requires_grad_(False)
    model.to(options.device)
    learned = {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    def save() -> None:
        arrays = {
            name: value.half().cpu().contiguous()
            for name, value in model.state_dict().items()
            if name in learned
        }
        save_file(arrays, options.out, {"examples": str(len(data.ids))})

    train(
        model,
        sources,
        held_out,
        options.minutes,
        options.passes,
        options.learning_rate,
        chance,
        save,
    )
    print(json.dumps(measure(model, held_out)))
    save()


if __name__ == "__main__":
    main()
