"""Answer by a Haystack Agent: the model calls tools step by step, and what it says is checked."""

import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.components.agents import Agent
from haystack.components.agents.state import State
from haystack.dataclasses import ChatMessage, StreamingChunk, ToolCall
from haystack.hooks import Hook, hook
from haystack.tools import (
    ToolsType,
    deserialize_tools_or_toolset_inplace,
    flatten_tools_or_toolsets,
    serialize_tools_or_toolset,
)

from pipelines.agent_scope import keep_to_question
from pipelines.agent_tools import ADAPTER, STATE, with_rows
from pipelines.answer import NOTHING_FOUND, Answer, Citation
from pipelines.citations import renumbered_by
from pipelines.entailment import EntailmentModel
from pipelines.evidence import Evidence
from pipelines.generators import PhiChatGenerator
from pipelines.phi3 import checked, prompt
from pipelines.search import Hit

SYSTEM = (
    "Find the answer with the tools, step by step: first what the question only describes, then "
    "what is asked of it. End the answer with the number of the source, like [1]."
)
ASKED_BEFORE = "This was called before; its result stands above."
LOOK_FIRST = "Call a tool first: only what it gives may be answered."
_SPENT = "tokens"
NO_TOKENS = "the tokens that an answer may take are used up"


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of an agent's run.

    :param answer: The answer, or why there is none; ``written`` has each step's ``tool``,
        ``arguments`` and ``result`` under ``steps``.
    :param evidence: What the tools gave, in the order of its numbers.
    :param hits: The passages found.
    :param adapters: Those asked for what they know.
    """

    answer: Answer
    evidence: tuple[Evidence, ...]
    hits: tuple[Hit, ...]
    adapters: tuple[str, ...]


@component
class AgentAnswerer:
    """Answers by a Haystack ``Agent`` whose calls are held to the tools' form.

    The answer is given as far as what the tools returned backs it, sentence by sentence; what an
    adapter said backs nothing. A call made before is not made again; after the second such one, or
    where the steps run out, the model answers from what was found.

    :param generator: Writes the calls and the answer.
    :param tools: Such as those of :mod:`pipelines.agent_tools`.
    :param steps: Calls and the answer together, at most.
    :param tokens: Tokens read and written, at most, a last reply aside.
    :param threshold: Least confidence with which an answer is given; None for every one.
    :param nli: Folder or hub id of a model of natural language inference that judges too what
        the tools' results back; None for none.
    """

    def __init__(
        self,
        generator: PhiChatGenerator,
        tools: ToolsType,
        *,
        steps: int = 6,
        tokens: int = 12000,
        threshold: float | None = None,
        nli: str | None = None,
    ) -> None:
        self.nli = nli
        self._entails = None if nli is None else EntailmentModel(nli)
        self.generator, self.tools = generator, tools
        self.steps, self.tokens, self.threshold = steps, tokens, threshold
        self._agent = Agent(
            chat_generator=generator,
            tools=tools,
            system_prompt=SYSTEM,
            state_schema=dict(STATE),
            max_agent_steps=steps,
            tool_concurrency_limit=1,
            hooks={
                "before_run": [keep_to_question],
                "before_llm": [_within(tokens)],
                "before_tool": [only_once],
                "after_tool": [keep_to_question],
                "on_exit": [not_from_memory],
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component with its generator and tools."""
        data: dict[str, Any] = default_to_dict(
            self,
            generator=self.generator.to_dict(),
            tools=serialize_tools_or_toolset(self.tools),
            steps=self.steps,
            tokens=self.tokens,
            threshold=self.threshold,
            nli=self.nli,
        )
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "AgentAnswerer":
        """Make a component of what :meth:`to_dict` returned."""
        parameters = data["init_parameters"]
        parameters["generator"] = PhiChatGenerator.from_dict(parameters["generator"])
        deserialize_tools_or_toolset_inplace(parameters)
        answerer: AgentAnswerer = default_from_dict(cls, data)
        return answerer

    def warm_up(self) -> None:
        """Load the models."""
        self.generator.warm_up()
        if self._entails is not None:
            self._entails.warm_up()

    @component.output_types(answer=Answer, worked=Worked)
    def run(self, query: str, on_text: Callable[[str], None] | None = None) -> dict[str, Any]:
        """Answer a question.

        :param query: The question.
        :param on_text: Told each piece of the answer as it is written, and an empty one while
            calls are.
        :returns: The answer, and under ``worked`` also what it rests on.
        :raises GenerationError: When what there is to read becomes too long for the model.
        """
        asked = " ".join(query.split())
        done = self._agent.run(
            [ChatMessage.from_user(asked)],
            streaming_callback=_telling(on_text),
            # Of this run alone: what they take is narrowed as it goes on.
            tools=[copy(tool) for tool in flatten_tools_or_toolsets(self.tools)],
        )
        evidence: list[Evidence] = done.get("evidence") or []
        messages: list[ChatMessage] = done["messages"]
        answer = self._answer(asked, done, evidence, on_text)
        rows = dict(done.get("rows") or [])
        usage = {
            name: int(count)
            for name, count in done["token_usage"].items()
            if isinstance(count, int)
        }
        for name, count in answer.usage.items():
            usage[name] = usage.get(name, 0) + (0 if done["exit_reason"] == "text" else count)
        answer = replace(
            _cited(answer, rows),
            usage=usage,
            written={**answer.written, "steps": steps_of(messages)},
            answerer="phi3",
        )
        adapters = dict.fromkeys(
            str(call.arguments["adapter"])
            for message in messages
            for call in message.tool_calls
            if call.tool_name == ADAPTER
        )
        evidence = [replace(p, document=p.context) if p.document in rows else p for p in evidence]
        worked = Worked(answer, tuple(evidence), tuple(done.get("hits") or ()), tuple(adapters))
        return {"answer": answer, "worked": worked}

    def _answer(
        self,
        query: str,
        done: Mapping[str, Any],
        evidence: list[Evidence],
        on_text: Callable[[str], None] | None,
    ) -> Answer:
        if not evidence:
            return Answer(None, 0.0, reason=NOTHING_FOUND, answerer="phi3")
        if done["exit_reason"] == "text":
            *asked, said = done["messages"]
            # Its first token is the form's, and says nothing of how sure the model is.
            meta = said.meta | {"first_log_probability": said.meta["mean_log_probability"]}
            reply = ChatMessage.from_assistant(said.text, meta=meta)
            return self._checked(query, reply, asked, evidence)
        if done["exit_reason"] == _SPENT:
            return Answer(None, 0.0, reason=NO_TOKENS, answerer="phi3")
        messages = prompt(query, evidence)
        (reply,) = self.generator.run(messages, _telling(on_text))["replies"]
        return self._checked(query, reply, messages, evidence)

    def _checked(
        self, query: str, reply: ChatMessage, asked: list[ChatMessage], evidence: list[Evidence]
    ) -> Answer:
        return checked(
            query,
            reply,
            asked,
            evidence,
            self.threshold,
            may_repeat=False,
            entails=self._entails,
        )


def _telling(on_text: Callable[[str], None] | None) -> Callable[[StreamingChunk], None] | None:
    if on_text is None:
        return None
    return lambda chunk: on_text(chunk.content)


def steps_of(messages: list[ChatMessage]) -> list[dict[str, Any]]:
    """Return an agent's steps as a trace keeps them."""
    return [
        {
            "tool": one.origin.tool_name,
            "arguments": one.origin.arguments,
            "result": one.result if isinstance(one.result, str) else "",
        }
        for message in messages
        for one in message.tool_call_results
    ]


def _cited(answer: Answer, tables: Mapping[str, tuple[Citation, ...]]) -> Answer:
    """Return an answer that points at a table's rows where it pointed at its result."""
    if answer.nearest is not None:
        ((row, *_),) = with_rows([answer.nearest], tables)
        answer = replace(answer, nearest=row)
    if answer.text is None or not tables:
        return answer
    places = with_rows(answer.citations, tables)
    first = [1 + sum(len(one) for one in places[:n]) for n in range(len(places))]
    marks = {n + 1: range(first[n], first[n] + len(one)) for n, one in enumerate(places)}
    citations = tuple(one for each in places for one in each)
    return replace(answer, text=renumbered_by(answer.text, marks), citations=citations)


def _within(tokens: int) -> Hook:
    """Return what ends a run before the reply that it has no tokens left for."""

    @hook
    def within(state: State) -> None:
        usage = state.data.get("token_usage") or {}
        if usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0) >= tokens:
            state.set("stop_run", _SPENT)

    return within


@hook
def only_once(state: State) -> None:
    """Answer a call that was made before by saying so, instead of making it again."""
    messages: list[ChatMessage] = state.data["messages"]
    before = {_key(one) for message in messages[:-1] for one in message.tool_calls}
    again = [call for call in messages[-1].tool_calls if _key(call) in before]
    if again:
        if any(one.result == ASKED_BEFORE for m in messages for one in m.tool_call_results):
            state.set("stop_run", "repeated")
        state.set("messages", [ChatMessage.from_tool(ASKED_BEFORE, call) for call in again])


@hook
def not_from_memory(state: State) -> None:
    """Send the model back, once, where it answers before a tool gave it anything."""
    messages: list[ChatMessage] = state.data["messages"]
    sent_back = any(message.text == LOOK_FIRST for message in messages)
    if not state.data.get("evidence") and not sent_back:
        state.set("messages", [ChatMessage.from_user(LOOK_FIRST)])
        state.set("continue_run", True)


def _key(call: ToolCall) -> tuple[str, str]:
    return call.tool_name, json.dumps(call.arguments, sort_keys=True)
