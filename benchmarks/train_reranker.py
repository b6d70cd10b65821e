"""Train the built-in reranker's weights anew from questions with their paragraphs.

    python benchmarks/train_reranker.py --dataset train-v1.1.json.gz --cache DIR --out FILE
    python benchmarks/train_reranker.py --dataset train-v1.1.json.gz --cache DIR --out FILE \\
        --projections pipelines/weights/late_interaction.safetensors --scorer-questions 4000 \\
        --lookups benchmarks/lookups/learned.jsonl --documents FOLDER

Takes SQuAD's format. Of its articles one in twelve is held out. On the others the two
projections and the weights of question words are learned: every question against all
paragraphs of a few articles at once, since those of its own article are the hard ones.
On the held-out ones, whose late-interaction scores are as good as on any new text, the
network that weighs those with both searches' scores is learned from the candidates that
the product's own store and retriever find. About an hour on two cores.

With ``--lookups`` the question's side is taught further by questions that people asked of
documents in words of their own, and the network learns from these too. What was indexed
with the projections stays valid. A quarter of an hour.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from haystack import Document
from numpy.typing import NDArray
from reranker_candidates import Candidates, Searcher, of_lookups, teach_questions
from retrieval import Question, read_squad
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from pipelines.embed import open_embedder
from pipelines.embed.components import embed_passages, passage_text
from pipelines.embed.embedder import Embedder
from pipelines.late_interaction import LateInteraction
from pipelines.stores.sqlite import SqliteDocumentStore

_HELD_OUT, _HELD_OUT_AT = 12, 5
_PARAGRAPHS, _QUESTIONS, _ARTICLES = 72, 128, 2
_HIDDEN = 24
_LOOKUP_EPOCHS, _LOOKUP_RATE = 3, 3e-4
_LONGEST_PASSAGE, _LONGEST_QUESTION = 256, 40


class States:
    """Token states of many texts in a file of half-precision numbers.

    :param path: The file; made when missing.
    """

    def __init__(self, path: Path, embedder: Embedder, texts: Sequence[str]) -> None:
        lengths = np.array(embedder.count_tokens(texts)) + 2
        self.lengths = np.minimum(lengths, embedder.max_tokens + 2)
        self._offsets = np.concatenate([[0], np.cumsum(self.lengths)])
        shape = (int(self._offsets[-1]), embedder.dimensions)
        done = path.with_suffix(".done")
        self._states: NDArray[np.float16] = np.memmap(
            path, np.float16, "r+" if done.exists() else "w+", shape=shape
        )
        if not done.exists():
            for number, tokens in enumerate(embedder.embed_states(texts)):
                start = self._offsets[tokens.index]
                self._states[start : start + len(tokens.states)] = tokens.states
                if number % 2000 == 0:
                    print(f"{path.name}: {number} of {len(texts)} texts", flush=True)
            done.touch()

    def batch(self, numbers: Sequence[int], longest: int) -> tuple[Tensor, Tensor]:
        """Return states [n, t, width], padded with zeros, and their mask [n, t]."""
        lengths = np.minimum(self.lengths[list(numbers)], longest)
        states = np.zeros((len(numbers), lengths.max(), self._states.shape[1]), np.float32)
        mask = np.zeros(states.shape[:2], dtype=bool)
        for row, (number, length) in enumerate(zip(numbers, lengths, strict=True)):
            start = self._offsets[number]
            states[row, :length] = self._states[start : start + length]
            mask[row, :length] = True
        return torch.from_numpy(states), torch.from_numpy(mask)


class Projections(nn.Module):
    """What :class:`pipelines.late_interaction.LateInteraction` computes, to be learned."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.question = nn.Linear(width, dimensions)
        self.passage = nn.Linear(width, dimensions)
        self.weight = nn.Linear(width, 1)
        self.temperature = nn.Parameter(torch.tensor(3.0))

    def forward(
        self, question: Tensor, question_mask: Tensor, passage: Tensor, passage_mask: Tensor
    ) -> Tensor:
        """Return the scores [questions, passages] of states [n, t, width]."""
        asked = functional.normalize(self.question(question), dim=-1)
        given = functional.normalize(self.passage(passage), dim=-1) * passage_mask[..., None]
        (n, t, d), (m, length, _) = asked.shape, given.shape
        words, tokens = asked.reshape(-1, d), given.reshape(-1, d)
        with torch.no_grad():
            # The gradient of a maximum is that of its place: no need to keep the rest.
            best = (words @ tokens.T).view(n * t, m, length).argmax(-1)
            best += torch.arange(m) * length
        similarity = torch.einsum("and,ad->an", tokens[best], words).view(n, t, m)
        logits = self.weight(question).squeeze(-1).masked_fill(~question_mask, -1e4)
        scores: Tensor = (similarity * logits.softmax(-1)[..., None]).sum(1)
        return scores * self.temperature.exp()

    def arrays(self) -> dict[str, Tensor]:
        """Return the weights under the names they are shipped with."""
        named = {
            "question.projection": self.question.weight.T,
            "question.bias": self.question.bias,
            "question.weight": self.weight.weight[0],
            "question.weight_bias": self.weight.bias[0],
            "passage.projection": self.passage.weight.T,
            "passage.bias": self.passage.bias,
        }
        return {name: value.detach().contiguous().clone() for name, value in named.items()}


@dataclass(frozen=True, slots=True)
class Data:
    """Paragraphs and questions; ``article`` numbers each paragraph's article."""

    documents: list[Document]
    questions: list[Question]
    article: list[int]
    gold: list[int]


def read(path: Path) -> Data:
    documents, questions = read_squad(path)
    numbers: dict[str, int] = {}
    article = [numbers.setdefault(str(d.meta["title"]), len(numbers)) for d in documents]
    places = {document.id: number for number, document in enumerate(documents)}
    return Data(documents, questions, article, [places[q.gold_ids[0]] for q in questions])


def train_projections(
    data: Data, embedder: Embedder, cache: Path, epochs: float, dimensions: int
) -> Projections:
    passages = States(cache / "passages", embedder, [passage_text(d) for d in data.documents])
    questions = States(cache / "questions", embedder, [q.question for q in data.questions])
    model = Projections(embedder.dimensions, dimensions)
    asked: dict[int, list[int]] = {}
    for number, place in enumerate(data.gold):
        asked.setdefault(place, []).append(number)
    used = [p for p in range(len(data.documents)) if data.article[p] % _HELD_OUT != _HELD_OUT_AT]
    total = int(epochs * sum(len(asked.get(p, ())) for p in used) / (0.9 * _QUESTIONS))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=total + 1, pct_start=0.08
    )
    started, right = time.perf_counter(), []
    for step, (places, numbers, targets) in zip(
        range(total), _batches(data, used, asked), strict=False
    ):
        scores = model(
            *questions.batch(numbers, _LONGEST_QUESTION), *passages.batch(places, _LONGEST_PASSAGE)
        )
        target = torch.tensor(targets)
        loss = functional.cross_entropy(scores, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        right.append(float((scores.argmax(1) == target).float().mean()))
        if step % 50 == 49:
            seconds = time.perf_counter() - started
            print(
                f"{step + 1}/{total}: first {np.mean(right[-50:]):.4f}, {seconds:.0f} s", flush=True
            )
    return model


def _batches(
    data: Data, used: Sequence[int], asked: dict[int, list[int]]
) -> Iterator[tuple[list[int], list[int], list[int]]]:
    """Yield paragraphs, questions, and for each question the place of its paragraph, for ever."""
    by_article: dict[int, list[int]] = {}
    for place in used:
        by_article.setdefault(data.article[place], []).append(place)
    while True:
        articles = random.sample(list(by_article), len(by_article))
        for start in range(0, len(articles) - _ARTICLES + 1, _ARTICLES):
            places = [p for a in articles[start : start + _ARTICLES] for p in by_article[a]]
            random.shuffle(places)
            for cut in range(0, max(1, len(places) - _PARAGRAPHS // 2), _PARAGRAPHS):
                some = places[cut : cut + _PARAGRAPHS]
                pairs = [(q, row) for row, place in enumerate(some) for q in asked.get(place, ())]
                random.shuffle(pairs)
                for at in range(0, len(pairs), _QUESTIONS):
                    batch = pairs[at : at + _QUESTIONS]
                    if at == 0 or len(batch) >= _QUESTIONS // 3:
                        yield some, [q for q, _ in batch], [row for _, row in batch]


def of_squad(
    data: Data, embedder: Embedder, late: LateInteraction, articles: set[int], limit: int
) -> Iterator[Candidates]:
    """Yield the candidates of some questions among all paragraphs of some articles."""
    documents = [d for d, a in zip(data.documents, data.article, strict=True) if a in articles]
    store = SqliteDocumentStore(":memory:")
    store.write_documents(embed_passages(embedder, documents, late=late))
    search = Searcher(store, embedder)
    asked = [
        q for q, g in zip(data.questions, data.gold, strict=True) if data.article[g] in articles
    ]
    for one in random.sample(asked, min(limit, len(asked))):
        if found := search(one.question, set(one.gold_ids)):
            yield found


def train_scorer(examples: list[tuple[NDArray[np.float32], int]]) -> dict[str, Tensor]:
    """Fit two layers so that the right candidate scores best."""
    width = max(len(values) for values, _ in examples)
    count = examples[0][0].shape[1]
    values = torch.zeros(len(examples), width, count)
    mask = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, (of_question, _) in enumerate(examples):
        values[row, : len(of_question)] = torch.from_numpy(of_question)
        mask[row, : len(of_question)] = True
    target = torch.tensor([place for _, place in examples])
    mean, scale = values[mask].mean(0), 1 / (values[mask].std(0) + 1e-3)
    values = (values - mean) * scale
    hidden, out = nn.Linear(count, _HIDDEN), nn.Linear(_HIDDEN, 1, bias=False)
    parameters = [*hidden.parameters(), *out.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.05)
    for _ in range(25):
        for batch in torch.randperm(len(values)).split(128):
            scores = out(functional.relu(hidden(values[batch]))).squeeze(-1)
            loss = functional.cross_entropy(
                scores.masked_fill(~mask[batch], -1e9), target[batch], label_smoothing=0.02
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 0.88
    with torch.no_grad():
        scores = out(functional.relu(hidden(values))).squeeze(-1).masked_fill(~mask, -1e9)
        first = (scores.argmax(1) == target).float().mean()
        print(f"scorer: right first on its own questions {first:.4f}")
    return {
        "scorer.mean": mean,
        "scorer.scale": scale,
        "scorer.hidden": hidden.weight.detach().T.contiguous(),
        "scorer.hidden_bias": hidden.bias.detach(),
        "scorer.out": out.weight.detach()[0].contiguous(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--dataset", type=Path, required=True, help="SQuAD 1.1 or 2.0, JSON(.gz)")
    parser.add_argument("--cache", type=Path, required=True, help="folder for token states, 3 GB")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--dimensions", type=int, default=48, help="numbers stored for a token")
    parser.add_argument("--projections", type=Path, help="take these from an earlier file")
    parser.add_argument("--scorer-questions", type=int, default=8000)
    parser.add_argument("--lookups", type=Path, help="questions on documents, JSON lines")
    parser.add_argument("--documents", type=Path, help="the folder of those documents")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    options.cache.mkdir(parents=True, exist_ok=True)
    embedder = open_embedder("minilm")
    data = read(options.dataset)
    arrays: dict[str, Any]
    if options.projections:
        loaded = load_file(options.projections)
        arrays = {name: value for name, value in loaded.items() if not name.startswith("scorer.")}
    else:
        arrays = train_projections(
            data, embedder, options.cache, options.epochs, options.dimensions
        ).arrays()
    facts = {"encoder": embedder.fingerprint.split(":", 1)[0]}
    save_file(arrays, options.out, facts)
    late = LateInteraction(options.out)
    held_out = {article for article in data.article if article % _HELD_OUT == _HELD_OUT_AT}
    limit = options.scorer_questions
    asked = list(of_squad(data, embedder, late, held_out, limit))
    print(f"{len(asked)} questions for the scorer, of {len(held_out)} held-out articles")
    if options.lookups:
        lookups = list(of_lookups(options.lookups, options.documents, embedder))
        others = set(random.sample(sorted(set(data.article) - held_out), len(held_out)))
        beside = list(of_squad(data, embedder, late, others, limit))
        print(f"{len(lookups)} look-ups, and {len(beside)} of SQuAD's questions beside them")
        taught = teach_questions(late, lookups + beside, _LOOKUP_EPOCHS, _LOOKUP_RATE)
        # The mean keeps what SQuAD taught (Wortsman et al. 2022).
        arrays |= {
            name: (value + torch.tensor(late.arrays[name])) / 2 for name, value in taught.items()
        }
        save_file(arrays, options.out, facts)
        late = LateInteraction(options.out)
        # Three of four are SQuAD's, so that a text's own words go on to weigh.
        asked = asked * 3 + random.sample(lookups, min(len(asked), len(lookups)))
    examples = [(one.known(late), one.right[0]) for one in asked]
    save_file(arrays | train_scorer(examples), options.out, facts)


if __name__ == "__main__":
    main()
