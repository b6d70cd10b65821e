"""Phi-3 as a Haystack chat generator, on this machine."""

from collections.abc import Callable
from contextlib import closing
from json import dumps
from pathlib import Path
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.dataclasses import ChatMessage, StreamingChunk, ToolCallDelta
from haystack.tools import (
    ToolsType,
    deserialize_tools_or_toolset_inplace,
    flatten_tools_or_toolsets,
    serialize_tools_or_toolset,
)

from adapters.base import LanguageModel, load_model
from adapters.batch import Request
from adapters.errors import AdapterError
from adapters.fitting import FittingAdapters
from adapters.generate import TextGenerator
from adapters.memory import Precision
from adapters.registry import Registry
from adapters.sampling import Sampling
from pipelines.errors import PipelineError
from pipelines.tool_calls import AnswerText, form_of, read_reply, told

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
    :param tools: What a reply may call. It is then a call or an answer, and nothing else can be
        written: a model needs no training for it (:mod:`pipelines.tool_calls`).
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
        tools: ToolsType | None = None,
    ) -> None:
        self.model = model
        self.precision = precision
        self.device = device
        self.max_new_tokens = max_new_tokens
        self.generation_kwargs = _checked(generation_kwargs or {})
        self.adapters = adapters
        self.tools = tools
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
            tools=serialize_tools_or_toolset(self.tools),
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PhiChatGenerator":
        """Make a component of what :meth:`to_dict` returned."""
        deserialize_tools_or_toolset_inplace(data["init_parameters"])
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
        tools: ToolsType | None = None,
    ) -> dict[str, list[ChatMessage]]:
        """Write a reply.

        :param messages: The conversation; the last one is answered.
        :param streaming_callback: Told each piece as it is written. With tools these are pieces
            of an answer's text, empty while a call is written, and the call once it is.
        :param generation_kwargs: Options in place of the component's own.
        :param tools: What may be called, in place of the component's own.
        :returns: One message under ``replies``: text, or a tool's call. Its meta has ``model``,
            ``adapter`` (the name with the version), ``finish_reason`` (``stop``, ``length``,
            ``repetition``, ``tool_calls``), ``usage`` (``prompt_tokens``, ``completion_tokens``,
            ``cached_tokens``) and the log-probabilities.
        :raises GenerationError: When the conversation is too long, or has no text.
        :raises AdapterError: When there is no such adapter, or it is another model's.
        """
        model = self.loaded
        options = self.generation_kwargs | _checked(generation_kwargs or {})
        stop = options.get("stop") or ()
        callable_ = flatten_tools_or_toolsets(self.tools if tools is None else tools)
        request = Request(
            prompt=model.markup.render(told(messages, callable_)),
            grammar=form_of(callable_) if callable_ else None,
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
        answer = AnswerText() if callable_ else None
        with closing(self._generator.stream(request, options.get("adapter"))) as stream:
            for piece in stream:
                if streaming_callback is not None:
                    shown = piece if answer is None else answer.add(piece)
                    streaming_callback(StreamingChunk(content=shown))
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
        if not callable_:
            return {"replies": [ChatMessage.from_assistant(generation.text, meta=meta)]}
        reply = read_reply(generation.text, meta)
        if streaming_callback is not None and reply.tool_call is not None:
            call = reply.tool_call
            delta = ToolCallDelta(0, call.tool_name, dumps(call.arguments, ensure_ascii=False))
            chunk = StreamingChunk("", tool_calls=[delta], index=0, finish_reason="tool_calls")
            streaming_callback(chunk)
        return {"replies": [reply]}


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
