"""What the reranker has to order: a question's candidates, as hybrid search finds them.

Questions come from SQuAD's articles or from files as ``benchmarks/lookups`` holds them. On
either the question's side of late interaction can be taught further: the passages' side
stays as it is, so that what is indexed stays valid.
"""

import itertools
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from answers import index_folder
from numpy.typing import NDArray
from reader_lookups import written_questions
from torch import Tensor, nn
from torch.nn import functional

from agent.assemble import open_store
from agent.lab.sources import json_lines
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder, TokenStates
from pipelines.late_interaction import SCALE, LateInteraction, PassageTokens, compare
from pipelines.rerank import tokens_of
from pipelines.rerank_scoring import features
from pipelines.retrieve import SCORES, HybridRetriever
from pipelines.stores.sqlite import SqliteDocumentStore

_CANDIDATES = 100
# Of the candidates that do not answer, those that a step learns against.
_WRONG = 40
_QUESTIONS_AT_ONCE, _WARM_UP = 32, 20


@dataclass(frozen=True, slots=True)
class Candidates:
    """A question with what hybrid search finds for it.

    :param tokens: The question's, as the embedder gives them.
    :param right: Places among ``passages`` of those that answer.
    :param bm25: Keyword scores of the passages.
    :param vector: Their cosines.
    """

    tokens: TokenStates
    passages: list[PassageTokens]
    right: list[int]
    bm25: list[float | None]
    vector: list[float | None]

    def known(self, late: LateInteraction) -> NDArray[np.float32]:
        """Return the reranker's features of the passages, with some projections."""
        question = late.question(self.tokens)
        return features(question, compare(question, self.passages), self.bm25, self.vector)


class Searcher:
    """Finds the candidates of questions in a store.

    :param store: It holds passages with token states.
    """

    def __init__(self, store: SqliteDocumentStore, embedder: Embedder) -> None:
        self._retriever = HybridRetriever(store, top_k=_CANDIDATES)
        self._embedder = embedder
        self._tokens: dict[str, PassageTokens] = {}

    def __call__(self, question: str, right: set[str]) -> Candidates | None:
        """Return a question's candidates, or None where none of them answers.

        :param right: Ids of the passages that do.
        """
        encoding = self._embedder.embed_query(question)
        assert isinstance(encoding.tokens, TokenStates)
        found = self._retriever.run(question, encoding.vector.tolist())["documents"]
        places = [place for place, passage in enumerate(found) if passage.id in right]
        if not places:
            return None
        scores = [passage.meta[SCORES] for passage in found]
        return Candidates(
            encoding.tokens,
            [self._tokens.setdefault(p.id, tokens_of(p)) for p in found],
            places,
            [of_passage["bm25"] for of_passage in scores],
            [of_passage["vector"] for of_passage in scores],
        )


def of_lookups(path: Path, documents: Path, embedder: Embedder) -> Iterator[Candidates]:
    """Yield the candidates of a file's questions that their documents answer.

    :param path: JSON lines of ``document``, ``question`` and ``answer``; see
        ``benchmarks/lookups/README.md``.
    :param documents: The folder of what they were written on.
    :raises ValueError: When a document is not there as it was.
    """
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        index_folder(documents, workspace)
        with open_store(workspace, read_only=True) as store:
            search = Searcher(store, embedder)
            for one in written_questions(json_lines(path), store):
                if one.written_on is None:
                    continue
                answer = one.written_on.answer
                right = {p.id for p in one.passages if answer in p.content}
                if found := search(one.question, right):
                    yield found


class _QuestionSide(nn.Module):
    """The question's part of :class:`LateInteraction`, to be learned."""

    def __init__(self, late: LateInteraction) -> None:
        super().__init__()
        arrays = {name: torch.tensor(value) for name, value in late.arrays.items()}
        self.projection = nn.Parameter(arrays["question.projection"])
        self.bias = nn.Parameter(arrays["question.bias"])
        self.weight = nn.Parameter(arrays["question.weight"])
        self.weight_bias = nn.Parameter(arrays["question.weight_bias"])
        self.temperature = nn.Parameter(torch.tensor(3.0))

    def forward(self, one: Candidates, places: Sequence[int]) -> Tensor:
        """Return the scores of some of a question's candidates."""
        states = torch.tensor(one.tokens.states, dtype=torch.float32)
        asked = functional.normalize(states @ self.projection + self.bias, dim=-1)
        weights = (states @ self.weight + self.weight_bias).softmax(-1)
        passages = [one.passages[place].vectors for place in places]
        tokens = torch.from_numpy(np.concatenate(passages).astype(np.float32) / SCALE)
        first = np.cumsum([0] + [len(passage) for passage in passages])
        with torch.no_grad():
            # The gradient of a maximum is that of its place.
            similarity = tokens @ asked.T
            best = torch.stack(
                [
                    similarity[start:end].argmax(0) + start
                    for start, end in itertools.pairwise(first)
                ]
            )
        scores: Tensor = ((tokens[best] * asked).sum(-1) * weights).sum(-1)
        return scores * self.temperature.exp()


def teach_questions(
    late: LateInteraction, asked: Sequence[Candidates], epochs: int, learning_rate: float
) -> dict[str, Tensor]:
    """Return the question's projection and word weights, learned further from candidates."""
    side, order = _QuestionSide(late), list(asked)
    optimizer = torch.optim.AdamW(side.parameters(), lr=learning_rate, weight_decay=0.01)
    total = epochs * (len(order) // _QUESTIONS_AT_ONCE)
    chance = random.Random(0)
    for step in range(total):
        at = step % (len(order) // _QUESTIONS_AT_ONCE) * _QUESTIONS_AT_ONCE
        if at == 0:
            chance.shuffle(order)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1, step / _WARM_UP) * (1 - step / total)
        batch = order[at : at + _QUESTIONS_AT_ONCE]
        loss = torch.stack([_loss(side, one, chance) for one in batch]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            print(f"questions {step + 1}/{total}: loss {loss.item():.3f}", flush=True)
    return {
        f"question.{name}": value.detach().contiguous().clone()
        for name, value in side.named_parameters()
        if name != "temperature"
    }


def _loss(side: _QuestionSide, one: Candidates, chance: random.Random) -> Tensor:
    wrong = [place for place in range(len(one.passages)) if place not in one.right]
    scores = side(one, one.right + chance.sample(wrong, min(_WRONG, len(wrong))))
    return torch.logsumexp(scores, 0) - torch.logsumexp(scores[: len(one.right)], 0)
