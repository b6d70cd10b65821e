"""Haystack's plain pipeline of stock parts over the documents that ours answers from.

Its own converters (``MultiFileConverter``), splitter and embedder with their defaults, the same
embedding model and a store in memory. The prompt has the documents found, whole, under the words
of ours, which the lab model was taught to obey; the same language model answers.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from haystack import Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.converters.multi_file_converter import MultiFileConverter
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.core.errors import PipelineRuntimeError
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

from adapters.errors import ExpertError
from agent.reply import Reply
from pipelines.answer import NOT_IN_SOURCES, Answer
from pipelines.citations import resolve
from pipelines.embed.model_files import find_model
from pipelines.evidence import Evidence
from pipelines.generators import PhiChatGenerator
from pipelines.phi3 import REFUSAL, SYSTEM

_USER = (
    "{% for document in documents %}[{{ loop.index }}] {{ document.content }}\n{% endfor %}\n"
    "Question: {{ question }}"
)


class HaystackRag:
    """A plain pipeline, indexed when it is made.

    :param folders: Of the documents.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._model = str(find_model("minilm").folder)
        self.store = InMemoryDocumentStore()
        index = Pipeline()
        index.add_component("converter", MultiFileConverter())
        index.add_component("splitter", DocumentSplitter())
        index.add_component(
            "embedder", SentenceTransformersDocumentEmbedder(model=self._model, progress_bar=False)
        )
        index.add_component("writer", DocumentWriter(self.store))
        index.connect("converter.documents", "splitter.documents")
        index.connect("splitter", "embedder")
        index.connect("embedder", "writer")
        # It says of each file without text that it has none.
        logging.getLogger("haystack").setLevel(logging.ERROR)
        files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
        index.run({"converter": {"sources": files}})

    def asking(self, generator: PhiChatGenerator, top_k: int) -> Callable[[str], Reply]:
        """Return what answers questions by a pipeline of its own.

        :param generator: Writes the answers.
        :param top_k: Passages that an answer is written from.
        """
        pipeline = Pipeline()
        embedder = SentenceTransformersTextEmbedder(model=self._model, progress_bar=False)
        pipeline.add_component("embedder", embedder)
        pipeline.add_component("retriever", InMemoryEmbeddingRetriever(self.store, top_k=top_k))
        template = [ChatMessage.from_system(SYSTEM), ChatMessage.from_user(_USER)]
        pipeline.add_component(
            "prompt",
            ChatPromptBuilder(template=template, required_variables=["documents", "question"]),
        )
        pipeline.add_component("generator", generator)
        pipeline.connect("embedder.embedding", "retriever.query_embedding")
        pipeline.connect("retriever.documents", "prompt.documents")
        pipeline.connect("prompt.prompt", "generator.messages")
        return partial(_ask, pipeline)


def _ask(pipeline: Pipeline, question: str) -> Reply:
    """Answer a question; its marks are resolved as ours are, so that one judge serves both."""
    started = time.perf_counter()
    try:
        found: dict[str, Any] = pipeline.run(
            {
                "embedder": {"text": question},
                "prompt": {"question": question},
            },
            include_outputs_from={"retriever"},
        )
    except PipelineRuntimeError as error:
        if isinstance(error.__cause__, ExpertError):
            # Its splitter counts words, not tokens: passages may be too long for the model.
            raise error.__cause__ from None
        raise
    took = 1000 * (time.perf_counter() - started)
    (reply,) = found["generator"]["replies"]
    evidence = [
        Evidence(
            document=f"{document.meta['file_path']}#{document.meta['source_id'][:8]}",
            passage=document.id,
            title=None,
            context="",
            start=document.meta["split_idx_start"],
            end=document.meta["split_idx_start"] + len(document.content),
            page=None,
            text=document.content,
            score=0.0,
        )
        for document in found["retriever"]["documents"]
    ]
    cited = resolve(reply.text or "", evidence)
    refused = not cited.text or REFUSAL in cited.text.casefold()
    answer = Answer(
        None if refused else cited.text,
        0.0,
        () if refused else cited.citations,
        reason=NOT_IN_SOURCES if refused else None,
        answerer="haystack",
        usage=reply.meta["usage"],
    )
    return Reply(
        question=question,
        searched=question,
        answer=answer,
        route="abstain" if refused else "retrieval",
        adapter=None,
        hits=(),
        evidence=tuple(evidence),
        timings_ms={"total": took},
        tried=("retrieval",),
    )
