"""Keep an agent's calls to what was asked: a passage that it read brings in names, no requests.

What a model writes into a call is held, by the grammar, to the words of the question and to the
names in those sentences found that share words with it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from haystack.components.agents.state import State
from haystack.dataclasses import ChatMessage
from haystack.hooks import hook

from adapters.training.sameness import content_words
from pipelines.evidence import Evidence
from pipelines.facts import names, stems
from pipelines.sentences import sentence_spans

# Say nothing by themselves, and let what is asked be worded.
_SMALL = (
    "a an and are at by can did do does for from had has have how in is it its long many much "
    "of on or per than the to was were what when where which who whose will with"
)
_WORD = re.compile(r"[\w°%$€£.'’&/-]*\w[%°]?")
_MOST_WORDS = 24
# A sentence that has so many of the words asked for is about what was asked.
_SHARED = 2


@hook
def keep_to_question(state: State) -> None:
    """Narrow what the tools of this run take: at its start, and as evidence comes in."""
    messages: list[ChatMessage] = state.data["messages"]
    asked = next(message.text or "" for message in messages if message.is_from("user"))
    words = pattern(allowed(asked, state.data.get("evidence") or []))
    for tool in state.data["tools"]:
        tool.parameters = _narrowed(tool.parameters, words)


def allowed(asked: str, evidence: Sequence[Evidence]) -> list[str]:
    """Return the words that a call may be of, each once.

    :param asked: The question.
    :param evidence: What was found.
    """
    own = dict.fromkeys([*_SMALL.split(), *_WORD.findall(asked)])
    wanted = stems(content_words(asked))
    for piece in evidence:
        for start, end in sentence_spans(piece.text):
            sentence = piece.text[start:end]
            if len(wanted & stems(content_words(sentence))) >= _SHARED:
                called = names(f"x {sentence}")
                own |= dict.fromkeys(w for w in _WORD.findall(sentence) if w.casefold() in called)
    return list(own)


def pattern(words: Sequence[str]) -> str:
    """Return the regular expression of texts of some words, separated by single blanks."""
    one = "|".join(re.escape(word) for word in words)
    return rf"^(?:{one})(?: (?:{one})){{0,{_MOST_WORDS - 1}}}\??$"


def _narrowed(schema: Any, words: str) -> Any:
    """Return a schema whose free texts are held to a pattern."""
    if isinstance(schema, list):
        return [_narrowed(one, words) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: _narrowed(value, words) for key, value in schema.items()}
    is_text = schema.get("type") == "string" and not {"enum", "const"} & schema.keys()
    # A pattern of the tool's own, of a date for one, lets no words through.
    if is_text and schema.get("pattern", "^(?:").startswith("^(?:"):
        return {"type": "string", "pattern": words}
    return found
