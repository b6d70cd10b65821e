"""Answer with Phi-3: evidence goes in numbered, and of the reply stays what it backs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk

from pipelines.answer import NOT_IN_SOURCES, NOTHING_FOUND, Answer, nearest
from pipelines.citations import resolve
from pipelines.confidence import confidence, features
from pipelines.entailment import EntailmentModel, Entails
from pipelines.evidence import Evidence, numbered
from pipelines.generators import PhiChatGenerator, written
from pipelines.ground import ground
from pipelines.spans import span

# Every token costs on a CPU, and a small model follows few words better than many.
SYSTEM = (
    "Answer from the numbered sources only, in as few words as will do, and end with the number "
    "of the source, like [1]. If they do not say, reply: Not in the sources."
)
REFUSAL = "not in the sources"
NOT_BACKED = "the documents found do not back what the model wrote"
UNSURE = "the model is not sure enough of its answer"


def prompt(query: str, evidence: list[Evidence]) -> list[ChatMessage]:
    """Return the messages that ask a model to answer from numbered evidence.

    Sources stand in the user's turn as quoted text; nothing in them is an instruction.

    :param query: The question.
    :param evidence: What it may rest on, numbered from 1.
    """
    sources = "\n".join(numbered(number, piece) for number, piece in enumerate(evidence, 1))
    return [
        ChatMessage.from_system(SYSTEM),
        ChatMessage.from_user(f"{sources}\n\nQuestion: {' '.join(query.split())}"),
    ]


@component
class Phi3Answerer:
    """Answers by a language model and resolves what it cites.

    Sentences that the evidence does not back are left out (:mod:`pipelines.ground`). A reply
    that says that the sources do not answer, that is empty, or of which nothing is left, is an
    abstention.

    :param generator: Writes the reply.
    :param adapter: The adapter that it writes with, such as ``hr`` or ``hr@3``; None for none.
    :param threshold: Least confidence with which an answer is given; None to give every one
        that the evidence backs.
    :param nli: Folder or hub id of a model of inference (:mod:`pipelines.entailment`) that judges
        too whether the evidence backs a sentence; None for none.
    """

    def __init__(
        self,
        generator: PhiChatGenerator,
        adapter: str | None = None,
        *,
        threshold: float | None = None,
        nli: str | None = None,
    ) -> None:
        self.generator = generator
        self.adapter = adapter
        self.threshold = threshold
        self.nli = nli
        self._entails = None if nli is None else EntailmentModel(nli)

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its generator."""
        data: dict[str, Any] = default_to_dict(
            self,
            generator=self.generator.to_dict(),
            adapter=self.adapter,
            threshold=self.threshold,
            nli=self.nli,
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
        """Load the model, and what judges its sentences.

        :raises GroundingError: When the latter cannot be loaded.
        """
        if self._entails is not None:
            self._entails.warm_up()
        self.generator.warm_up()

    @component.output_types(answer=Answer)
    def run(
        self,
        query: str,
        evidence: list[Evidence],
        on_text: Callable[[str], None] | None = None,
        before: str | None = None,
    ) -> dict[str, Answer]:
        """Answer a question.

        :param query: The question.
        :param evidence: What was found, best first.
        :param on_text: Told each piece of the reply as it is written.
        :param before: Not shown to the model, which might say it again.
        :raises GenerationError: When question and evidence are too long for the model.
        :raises ReaderError: When the reader, which confidence asks too, cannot be loaded.
        :raises GroundingError: When the model of inference cannot be loaded.
        """
        if not evidence:
            return {"answer": Answer(None, 0.0, reason=NOTHING_FOUND, answerer="phi3")}

        def told(chunk: StreamingChunk) -> None:
            if on_text is not None:
                on_text(chunk.content)

        asked = prompt(query, evidence)
        (reply,) = self.generator.run(
            asked,
            told if on_text else None,
            {"adapter": self.adapter} if self.adapter else None,
        )["replies"]
        answer = checked(query, reply, asked, evidence, self.threshold, entails=self._entails)
        return {"answer": answer}


def checked(
    query: str,
    reply: ChatMessage,
    asked: list[ChatMessage],
    evidence: list[Evidence],
    threshold: float | None = None,
    *,
    may_repeat: bool = True,
    entails: Entails | None = None,
) -> Answer:
    """Return what of a model's reply its evidence backs, with the places that back it.

    :param query: The question.
    :param reply: What the model wrote, with marks such as ``[1]``.
    :param asked: What it was asked.
    :param evidence: In the order in which it was numbered from 1; at least one piece.
    :param threshold: Least confidence with which an answer is given; None for every one.
    :param may_repeat: Whether the question's words need no source.
    :param entails: Judges too what the evidence backs; None for nothing that does.
    :raises ReaderError: When the reader, which confidence asks too, cannot be loaded.
    """
    text = reply.text or ""
    said = resolve(text, evidence)
    refused = not said.text or REFUSAL in said.text.casefold()
    known = query if may_repeat else ""
    with span("expert.ground"):
        grounded = ground(known, "" if refused else text, evidence, entails=entails)
    cited = resolve(grounded.reply, evidence)
    answer = Answer(
        cited.text or None,
        0.0,
        cited.citations,
        answerer="phi3",
        dropped_citations=said.dropped,
        usage=reply.meta["usage"],
        claims=grounded.claims,
        written=written(asked, reply),
    )
    if not cited.text:
        reason = NOT_IN_SOURCES if refused else f"{NOT_BACKED}: {grounded.fault}"
        return replace(answer, reason=reason, nearest=nearest(evidence))
    first = reply.meta["first_log_probability"]
    sure = confidence(features(query, evidence, cited.citations, first))
    answer = replace(answer, confidence=sure)
    if threshold is not None and sure < threshold:
        answer = replace(answer, text=None, reason=UNSURE, citations=())
        return replace(answer, nearest=cited.citations[0])
    return answer
