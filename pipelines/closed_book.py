"""Answer by an adapter alone: from what it has learned, without a look at the documents."""

import math
from collections.abc import Callable
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk

from adapters.training.render import closed_book
from pipelines.answer import Answer
from pipelines.generators import PhiChatGenerator, written

NOTHING_SAID = "the adapter has nothing to say to this"


@component
class AdapterAnswerer:
    """Asks a language model with an adapter, in the words that adapters are trained on.

    What it says rests on no source, so it cites none. Its confidence is the model's own: the
    mean probability of the tokens that it chose.

    :param generator: Writes the answer.
    :param adapter: The adapter, such as ``hr`` or ``hr@3``.
    """

    def __init__(self, generator: PhiChatGenerator, adapter: str) -> None:
        self.generator = generator
        self.adapter = adapter

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its generator."""
        data: dict[str, Any] = default_to_dict(
            self, generator=self.generator.to_dict(), adapter=self.adapter
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "AdapterAnswerer":
        """Make a component of what :meth:`to_dict` returned."""
        parameters = data["init_parameters"]
        parameters["generator"] = PhiChatGenerator.from_dict(parameters["generator"])
        answerer: AdapterAnswerer = default_from_dict(cls, data)
        return answerer

    def warm_up(self) -> None:
        """Load the model and the adapter.

        :raises AdapterError: When there is no such adapter, or it is another model's.
        """
        self.generator.warm_up()
        self.generator.load_adapter(self.adapter)

    @component.output_types(answer=Answer, adapter=str)
    def run(self, query: str, on_text: Callable[[str], None] | None = None) -> dict[str, Any]:
        """Answer a question.

        :param query: The question.
        :param on_text: Told each piece of the answer as it is written.
        :returns: The answer, and the name and version of the adapter that wrote it.
        :raises AdapterError: When there is no such adapter, or it is another model's.
        :raises GenerationError: When the question is too long for the model.
        """
        messages = [ChatMessage.from_user(one["content"]) for one in closed_book(query)]

        def told(chunk: StreamingChunk) -> None:
            if on_text is not None:
                on_text(chunk.content)

        (reply,) = self.generator.run(
            messages,
            told if on_text else None,
            {"adapter": self.adapter},
        )["replies"]
        text = (reply.text or "").strip()
        answer = Answer(
            text or None,
            math.exp(reply.meta["mean_log_probability"]) if text else 0.0,
            reason=None if text else NOTHING_SAID,
            answerer="phi3",
            usage=reply.meta["usage"],
            written=written(messages, reply),
        )
        return {"answer": answer, "adapter": reply.meta["adapter"]}
