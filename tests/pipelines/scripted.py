"""A generator whose replies are given beforehand, to take an agent down a certain path."""

from typing import Any

from haystack.dataclasses import ChatMessage, ToolCall

from pipelines.generators import PhiChatGenerator

META = {
    "model": "lab",
    "adapter": None,
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    "mean_log_probability": -0.1,
    "first_log_probability": -0.1,
}


def call(tool: str, **arguments: Any) -> ChatMessage:
    return ChatMessage.from_assistant(tool_calls=[ToolCall(tool, arguments)], meta=META)


def say(text: str) -> ChatMessage:
    return ChatMessage.from_assistant(text, meta=META)


class Scripted(PhiChatGenerator):
    """Says each reply in turn, and the last one again and again.

    :param replies: Of :func:`call` and :func:`say`.
    """

    def __init__(self, *replies: ChatMessage) -> None:
        super().__init__("lab")
        self._replies = list(replies)
        self.seen: list[list[ChatMessage]] = []

    def warm_up(self) -> None:
        """There is nothing to load."""

    def run(  # type: ignore[override]
        self,
        messages: list[ChatMessage],
        streaming_callback: Any = None,
        generation_kwargs: Any = None,
        tools: Any = None,
    ) -> dict[str, list[ChatMessage]]:
        self.seen.append(list(messages))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return {"replies": [reply]}
