"""Phi-3 as a Haystack chat generator, on this machine."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk

from adapters.base import LanguageModel, load_model
from adapters.batch import Request
from adapters.errors import AdapterError
from adapters.fitting import FittingAdapters
from adapters.generate import TextGenerator
from adapters.memory import Precision
from adapters.registry import Registry
from adapters.sampling import Sampling
from pipelines.errors import PipelineError

_OPTIONS = frozenset(
    {"adapter", "max_new_tokens", "temperature", "top_p", "seed", "stop", "repetition_penalty"}
)


@component
class PhiChatGenerator:
    """Writes replies with any model of Phi-3's architecture.

    What is written in a message stays text: markup of the chat template in it opens no turn.

    :param model: ``lab``, a model's folder, or its hub id.
    :param precision: How its weights are kept; ``auto`` by device and measurement.
    :param device: ``auto``, ``cpu`` or ``cuda``.
    :param max_new_tokens: Length of a reply, in tokens, at most.
    :param generation_kwargs: Defaults of ``temperature`` (0, the likeliest token),
        ``top_p``, ``seed``, ``stop``, ``repetition_penalty`` and ``adapter`` (``hr``, or
        ``hr@3`` for a certain version).
    :param adapters: Folder of the adapters' registry; None for no adapters.
    :raises PipelineError: When an option is not known.
    """

    def __init__(
        self,
        model: str = "lab",
        *,
        precision: Precision | str = "auto",
        device: str = "auto",
        max_new_tokens: int = 256,
        generation_kwargs: dict[str, Any] | None = None,
        adapters: str | None = None,
    ) -> None:
        self.model = model
        self.precision = precision
        self.device = device
        self.max_new_tokens = max_new_tokens
        self.generation_kwargs = _checked(generation_kwargs or {})
        self.adapters = adapters
        self._generator: TextGenerator | None = None

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        data: dict[str, Any] = default_to_dict(
            self,
            model=self.model,
            precision=self.precision,
            device=self.device,
            max_new_tokens=self.max_new_tokens,
            generation_kwargs=self.generation_kwargs,
            adapters=self.adapters,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PhiChatGenerator":
        """Make a component of what :meth:`to_dict` returned."""
        generator: PhiChatGenerator = default_from_dict(cls, data)
        return generator

    @property
    def loaded(self) -> LanguageModel:
        """The model, loaded when first used.

        :raises ModelError: When it cannot be found or loaded, or does not fit.
        """
        self.warm_up()
        assert self._generator is not None  # noqa: S101
        return self._generator.model

    def warm_up(self) -> None:
        """Load the model."""
        if self._generator is None:
            model = load_model(self.model, precision=self.precision, device=self.device)  # type: ignore[arg-type]
            find = None
            if self.adapters is not None:
                find = FittingAdapters(Registry(Path(self.adapters)), model.files)
            self._generator = TextGenerator(model, find)

    def load_adapter(self, adapter: str) -> None:
        """Load an adapter before it is asked for.

        :param adapter: Its name, or ``hr@3`` for a certain version.
        :raises AdapterError: When there is no such adapter, or it is another model's.
        """
        self.warm_up()
        host = self._generator.adapters if self._generator is not None else None
        if host is None:
            raise AdapterError("this generator was given no folder of adapters")
        host.prefetch(adapter).result()

    @component.output_types(replies=list[ChatMessage])
    def run(
        self,
        messages: list[ChatMessage],
        streaming_callback: Callable[[StreamingChunk], None] | None = None,
        generation_kwargs: dict[str, Any] | None = None,
    ) -> dict[str, list[ChatMessage]]:
        """Write a reply.

        :param messages: The conversation; the last one is answered.
        :param streaming_callback: Told each piece as it is written.
        :param generation_kwargs: Options in place of the component's own.
        :returns: One message under ``replies``. Its meta has ``model``, ``adapter`` (the name
            with the version), ``finish_reason``
            (``stop``, ``length``, ``repetition``), ``usage`` (``prompt_tokens``,
            ``completion_tokens``, ``cached_tokens``) and the log-probabilities.
        :raises GenerationError: When the conversation is too long, or has no text.
        :raises AdapterError: When there is no such adapter, or it is another model's.
        """
        model = self.loaded
        options = self.generation_kwargs | _checked(generation_kwargs or {})
        stop = options.get("stop") or ()
        request = Request(
            prompt=model.markup.render(
                [
                    {"role": message.role.value, "content": message.text or ""}
                    for message in messages
                ]
            ),
            max_new_tokens=options.get("max_new_tokens", self.max_new_tokens),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            sampling=Sampling(
                temperature=options.get("temperature", 0.0),
                top_p=options.get("top_p", 1.0),
                seed=options.get("seed"),
                repetition_penalty=options.get("repetition_penalty", 1.0),
            ),
        )
        assert self._generator is not None  # noqa: S101
        # The callback runs on this thread, so that a slow one holds up no other request.
        with closing(self._generator.stream(request, options.get("adapter"))) as stream:
            for piece in stream:
                if streaming_callback is not None:
                    streaming_callback(StreamingChunk(content=piece))
            generation = stream.generation
        assert generation is not None  # noqa: S101
        meta = {
            "model": model.files.name,
            "adapter": stream.adapter,
            "finish_reason": generation.reason,
            "usage": {
                "prompt_tokens": generation.prompt_tokens,
                "completion_tokens": len(generation.tokens),
                "cached_tokens": generation.cached_tokens,
            },
            "mean_log_probability": generation.mean_log_probability,
            "first_log_probability": generation.first_log_probability,
            "first_entropy": generation.first_entropy,
        }
        return {"replies": [ChatMessage.from_assistant(generation.text, meta=meta)]}


def written(messages: list[ChatMessage], reply: ChatMessage) -> dict[str, Any]:
    """Return how a reply came to be written, for a trace.

    :param messages: What the model was asked.
    :param reply: What it said.
    """
    return {
        "messages": [{"role": m.role.value, "content": m.text or ""} for m in messages],
        "reply": reply.text or "",
        "model": reply.meta["model"],
        "adapter": reply.meta["adapter"],
    }


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(options.keys() - _OPTIONS):
        known = ", ".join(sorted(_OPTIONS))
        raise PipelineError(f"unknown generation option {unknown[0]}: the known ones are {known}")
    return options
