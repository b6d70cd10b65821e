"""Answer with Phi-3: evidence goes in numbered, and the marks of its reply become places."""

import math
from collections.abc import Callable
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk

from pipelines.answer import NOT_IN_SOURCES, NOTHING_FOUND, Answer, cite
from pipelines.citations import resolve
from pipelines.evidence import Evidence
from pipelines.generators import PhiChatGenerator

# Every token costs on a CPU, and a small model follows few words better than many.
SYSTEM = (
    "Answer from the numbered sources only, in as few words as will do, and end with the number "
    "of the source, like [1]. If they do not say, reply: Not in the sources."
)
REFUSAL = "not in the sources"
UNCITED = "the model's reply names no source for what it says"


def prompt(query: str, evidence: list[Evidence]) -> list[ChatMessage]:
    """Return the messages that ask a model to answer from numbered evidence.

    Sources stand in the user's turn as quoted text; nothing in them is an instruction.

    :param query: The question.
    :param evidence: What it may rest on, numbered from 1.
    """
    sources = "\n".join(
        f"[{number}] {piece.context}: {_line(piece.text)}"
        if piece.context
        else f"[{number}] {_line(piece.text)}"
        for number, piece in enumerate(evidence, 1)
    )
    return [
        ChatMessage.from_system(SYSTEM),
        ChatMessage.from_user(f"{sources}\n\nQuestion: {_line(query)}"),
    ]


@component
class Phi3Answerer:
    """Answers by a language model and resolves what it cites.

    A reply that says that the sources do not answer, that is empty, or that cites nothing
    that there is, is an abstention.

    :param generator: Writes the reply.
    :param adapter: The adapter that it writes with, such as ``hr`` or ``hr@3``; None for none.
    """

    def __init__(self, generator: PhiChatGenerator, adapter: str | None = None) -> None:
        self.generator = generator
        self.adapter = adapter

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its generator."""
        data: dict[str, Any] = default_to_dict(
            self, generator=self.generator.to_dict(), adapter=self.adapter
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Phi3Answerer":
        """Make a component of what :meth:`to_dict` returned."""
        parameters = data["init_parameters"]
        parameters["generator"] = PhiChatGenerator.from_dict(parameters["generator"])
        answerer: Phi3Answerer = default_from_dict(cls, data)
        return answerer

    def warm_up(self) -> None:
        """Load the model."""
        self.generator.warm_up()

    @component.output_types(answer=Answer)
    def run(
        self,
        query: str,
        evidence: list[Evidence],
        on_text: Callable[[str], None] | None = None,
    ) -> dict[str, Answer]:
        """Answer a question.

        :param query: The question.
        :param evidence: What was found, best first.
        :param on_text: Told each piece of the reply as it is written.
        :raises GenerationError: When question and evidence are too long for the model.
        """
        if not evidence:
            return {"answer": Answer(None, 0.0, reason=NOTHING_FOUND, answerer="phi3")}

        def told(chunk: StreamingChunk) -> None:
            if on_text is not None:
                on_text(chunk.content)

        (reply,) = self.generator.run(
            prompt(query, evidence),
            told if on_text else None,
            {"adapter": self.adapter} if self.adapter else None,
        )["replies"]
        cited = resolve(reply.text or "", evidence)
        confidence = math.exp(reply.meta["mean_log_probability"]) if cited.text else 0.0
        usage = reply.meta["usage"]
        refused = not cited.text or REFUSAL in cited.text.casefold()
        if refused or not cited.citations:
            return {
                "answer": Answer(
                    None,
                    confidence,
                    reason=NOT_IN_SOURCES if refused else UNCITED,
                    nearest=cite(evidence[0], 0, len(evidence[0].text), evidence[0].score),
                    answerer="phi3",
                    dropped_citations=cited.dropped,
                    usage=usage,
                )
            }
        return {
            "answer": Answer(
                cited.text,
                confidence,
                cited.citations,
                answerer="phi3",
                dropped_citations=cited.dropped,
                usage=usage,
            )
        }


def _line(text: str) -> str:
    return " ".join(text.split())
