"""Answer by an adapter alone: from what it has learned, without a look at the documents."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk

from adapters.training.render import closed_book
from adapters.training.squad import same_words
from pipelines.answer import Answer
from pipelines.generators import PhiChatGenerator, written
from pipelines.taught import Near, Taught, features, load_calibration

NOTHING_SAID = "the adapter has nothing to say to this"
NOT_TAUGHT = "the adapter does not seem to have been taught this"
# An answer that was taught for a question so much farther than the nearest is another one's, and
# so is, where the nearest is so near, one that was not taught at all (docs/decisions.md).
_FARTHER, _NEAR = 0.02, 0.5


@dataclass(frozen=True, slots=True)
class Recalled:
    """What an adapter remembers.

    :param text: What it says; empty for nothing.
    :param said: What it said to the question as it was put, and
    :param probability: the mean probability of the tokens of that.
    :param near: The question beside those that the adapter was taught; None where these are not
        known.
    :param adapter: Name and version of the adapter.
    :param usage: Tokens read and written.
    :param written: How it came about, for a trace.
    """

    text: str
    said: str
    probability: float
    near: Near | None
    adapter: str
    usage: Mapping[str, int]
    written: Mapping[str, Any]

    @property
    def features(self) -> tuple[float, ...] | None:
        """See :func:`pipelines.taught.features`; None where nothing is known of what was taught."""
        if self.near is None:
            return None
        return features(self.near, self.text, self.text == self.said, self.probability)


@component
class AdapterAnswerer:
    """Asks a language model with an adapter, in the words that adapters are trained on.

    What it says rests on no source, so it cites none. A small model mixes up facts when they are
    asked for in other words. Where it is known what the adapter was taught, an answer that belongs
    to a question farther away gives way to that of the nearest taught question, in whose words
    the adapter is asked again; and what it was likely not taught is withheld. Else its confidence
    is the model's own: the mean probability of the tokens that it chose.

    :param generator: Writes the answer.
    :param adapter: The adapter, such as ``hr`` or ``hr@3``.
    :param taught: What the adapter was taught; not serialised.
    :param threshold: Least probability of an answer; the calibrated one by default.
    """

    def __init__(
        self,
        generator: PhiChatGenerator,
        adapter: str,
        *,
        taught: Taught | None = None,
        threshold: float | None = None,
    ) -> None:
        self.generator = generator
        self.adapter = adapter
        self.taught = taught
        self.threshold = threshold

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its generator."""
        data: dict[str, Any] = default_to_dict(
            self,
            generator=self.generator.to_dict(),
            adapter=self.adapter,
            threshold=self.threshold,
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
        recalled = self.recall(query, on_text)
        known = recalled.features
        reason = None if recalled.text else NOTHING_SAID
        sure = recalled.probability if recalled.text else 0.0
        if recalled.near is not None and known is not None:
            calibration = load_calibration()
            sure = calibration.answer.probability(known)
            least = calibration.threshold if self.threshold is None else self.threshold
            if sure < least:
                nearest = recalled.near.questions[recalled.near.nearest]
                reason = f"{NOT_TAUGHT}: the nearest it knows is “{nearest}”"
        answer = Answer(
            None if reason else recalled.text,
            sure,
            reason=reason,
            answerer="phi3",
            usage=recalled.usage,
            written=recalled.written,
        )
        if on_text is not None and self.taught is not None and answer.text:
            on_text(answer.text)
        return {"answer": answer, "adapter": recalled.adapter}

    def recall(self, query: str, on_text: Callable[[str], None] | None = None) -> Recalled:
        """Return what the adapter remembers, however sure.

        :param on_text: Told each piece as it is written, where it is sure to be what is given.
        """
        streams = on_text if self.taught is None else None
        (said, probability), usage, adapter, trace = self._said(query, streams)
        near = self.taught.near(query) if self.taught is not None and said else None
        text = said
        if near is not None:
            best, mine = float(near.nearness[near.nearest]), near.taught_by(said)
            if mine < best - _FARTHER and (mine or best >= _NEAR):
                asked, wanted = near.questions[near.nearest], near.answers[near.nearest]
                (again, _), more, _, _ = self._said(asked, None)
                usage = {name: count + more.get(name, 0) for name, count in usage.items()}
                trace = {**trace, "asked_again": {"question": asked, "reply": again}}
                # What it has not learned well it does not say in the taught words either.
                if same_words(again, wanted):
                    text = again
        return Recalled(text, said, probability, near, adapter, usage, trace)

    def _said(
        self, query: str, on_text: Callable[[str], None] | None
    ) -> tuple[tuple[str, float], Mapping[str, int], str, Mapping[str, Any]]:
        messages = [ChatMessage.from_user(one["content"]) for one in closed_book(query)]

        def told(chunk: StreamingChunk) -> None:
            if on_text is not None:
                on_text(chunk.content)

        (reply,) = self.generator.run(
            messages,
            told if on_text else None,
            {"adapter": self.adapter},
        )["replies"]
        said = (reply.text or "").strip(), math.exp(reply.meta["mean_log_probability"] or 0.0)
        return said, reply.meta["usage"], reply.meta["adapter"], written(messages, reply)
