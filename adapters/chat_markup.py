"""Write a conversation in a model's own markup, so that no text in it can pass for markup.

A model tells its turns apart by special tokens such as ``<|im_end|>``. Where those words
stand inside a message they are encoded as the characters that they are: only the model's
own chat template puts special tokens in.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from adapters.architecture import read_json
from adapters.errors import GenerationError, ModelError

ROLES = ("system", "user", "assistant")
# Private to whoever uses them: one that no message holds is put inside its special words.
_MARKS = [chr(code) for code in range(0xE000, 0xE100)]


class ChatMarkup:
    """A model's tokenizer and chat template.

    :param folder: Has ``tokenizer.json`` and, in ``tokenizer_config.json`` or
        ``chat_template.jinja``, the template.
    :raises ModelError: When one of them is missing or not valid.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        definition = read_json(path)
        try:
            self.tokenizer = Tokenizer.from_file(str(path))
            added = list(definition.get("added_tokens") or [])
            # Without them their words are text like any other.
            self._plain = Tokenizer.from_str(json.dumps(definition | {"added_tokens": []}))
            self._special = {str(token["content"]): token for token in added}
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"{path} is not a tokenizer: {error}") from error
        for tokenizer in (self.tokenizer, self._plain):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._special_ids = {int(token["id"]) for token in added}
        # One character cannot be broken up, and is no markup.
        words = [
            re.escape(word) for word in sorted(self._special, key=len, reverse=True) if word[1:]
        ]
        self._words = re.compile("|".join(words) or "(?!)")
        settings = folder / "tokenizer_config.json"
        self._settings = read_json(settings) if settings.is_file() else {}
        self._template = _compile(_template_of(folder, self._settings), folder.name)

    def render(self, messages: Sequence[Mapping[str, str]], *, reply: bool = True) -> list[int]:
        """Return the tokens of a conversation.

        :param messages: Each with "role" (system, user or assistant) and "content".
        :param reply: End where the assistant's next turn begins.
        :raises GenerationError: When the messages are not a conversation that the model's
            template can write.
        """
        for message in messages:
            if message.get("role") not in ROLES or not isinstance(message.get("content"), str):
                raise GenerationError(f"a message needs content and a role of {', '.join(ROLES)}")
        everything = "".join(message["content"] for message in messages)
        mark = next((mark for mark in _MARKS if mark not in everything), None)
        if mark is None:
            mark = _MARKS[0]
            messages = [
                {**message, "content": message["content"].replace(mark, "")} for message in messages
            ]
        told = [
            {"role": message["role"], "content": self._marked(message["content"], mark)}
            for message in messages
        ]
        try:
            text = self._template.render(
                messages=told, add_generation_prompt=reply, **self._named_tokens()
            )
        except Exception as error:  # whatever a template raises
            raise GenerationError(f"the model's chat template refuses: {error}") from error
        return self._encode(text, mark)

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of a text in which nothing is markup."""
        ids = self._plain.encode(text, add_special_tokens=False).ids
        if self._special_ids.isdisjoint(ids):
            return list(ids)
        # A vocabulary that holds the words themselves: no word is left whole in pieces.
        pieces = self._words.sub(lambda found: "\0".join(found.group()), text).split("\0")
        found: list[int] = []
        for piece in pieces:
            found += self._plain.encode(piece, add_special_tokens=False).ids
        if not self._special_ids.isdisjoint(found):
            raise GenerationError("the text cannot be told from the model's markup")
        return found

    def special_id(self, token: str) -> int | None:
        """Return the id of a special token; None when the model has none of that name."""
        known = self._special.get(token)
        return None if known is None else int(known["id"])

    def is_special(self, token: int) -> bool:
        """Return whether a token is one of the markup, which no text encodes to."""
        return token in self._special_ids

    def _marked(self, content: str, mark: str) -> str:
        """Break up the special words in a message; joining them again is :meth:`_encode`'s."""
        return self._words.sub(
            lambda found: f"{found.group()[0]}{mark}{found.group()[1:]}", content
        )

    def _encode(self, text: str, mark: str) -> list[int]:
        ids: list[int] = []
        at = 0
        for found in self._words.finditer(text):
            if found.start() < at:
                continue
            token = self._special[found.group()]
            before = text[at : found.start()]
            ids += self._stretch(before.rstrip() if token.get("lstrip") else before, mark)
            ids.append(int(token["id"]))
            at = found.end()
            if token.get("rstrip"):
                at += len(text[at:]) - len(text[at:].lstrip())
        return ids + self._stretch(text[at:], mark)

    def _stretch(self, text: str, mark: str) -> list[int]:
        text = text.replace(mark, "")
        return self.encode_text(text) if text else []

    def _named_tokens(self) -> dict[str, str]:
        named = {}
        for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
            value = self._settings.get(name)
            value = value.get("content") if isinstance(value, dict) else value
            named[name] = value or ""
        return named


def _template_of(folder: Path, settings: Mapping[str, Any]) -> str:
    path = folder / "chat_template.jinja"
    template = path.read_text(encoding="utf-8") if path.is_file() else settings.get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template}
        template = named.get("default")
    if not isinstance(template, str):
        raise ModelError(f"{folder.name} has no chat template: choose an instruct model")
    return template


def _compile(template: str, name: str) -> Any:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    # As transformers sets it up: templates are written for that.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(
        value, ensure_ascii=False, indent=options.get("indent")
    )
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise ModelError(f"{name}: its chat template is not valid: {error}") from error
