"""What was said in a chat: kept line by line as it goes, and saved as Markdown on demand."""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import WorkspaceError
from agent.printable import one_line, printable, printable_spans, to_json

if TYPE_CHECKING:
    from agent.expert import Reply
    from pipelines.answer import Answer

HISTORY = "chat_history"
FOLDER = "chats"
# What would be markup at the start of a line or anywhere in it.
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])|^(\s*)([-+=~]|\d+[.)])", re.MULTILINE)


def private_file(path: Path) -> Path:
    """Make sure that a file exists and that only its owner may read it; return its path.

    :raises WorkspaceError: When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {_reason(error)}") from None
    return path


class ChatLog:
    """A chat's record in a workspace: a JSON object a line, written as it is said.

    The file appears with the first line, readable by its owner only.

    :param workspace: The workspace's folder.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._folder = workspace / FOLDER
        self.path: Path | None = None

    def add(self, event: str, **content: Any) -> None:
        """Append a line.

        :param event: ``answer``, ``cancelled``, ``failed`` or ``cleared``.
        :raises WorkspaceError: When it cannot be written.
        """
        line = to_json({"at": datetime.now().astimezone().isoformat(), "event": event} | content)
        if self.path is None:
            self.path = self._create()
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise WorkspaceError(f"cannot write {self.path}: {_reason(error)}") from None

    def _create(self) -> Path:
        name = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
        number = 1
        while True:
            path = self._folder / (f"{name}.jsonl" if number == 1 else f"{name}-{number}.jsonl")
            # Two chats may begin in the same second.
            if not path.exists():
                return private_file(path)
            number += 1


def save_transcript(replies: Sequence["Reply"], path: Path, *, replace: bool = False) -> None:
    """Write a conversation as Markdown.

    :param replies: What was asked and answered, in order.
    :param path: The file.
    :param replace: Replace it where it exists.
    :raises WorkspaceError: When it exists or cannot be written.
    """
    try:
        with path.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(transcript(replies))
    except FileExistsError:
        raise WorkspaceError(f"{path} exists: `/save! {path}` replaces it") from None
    except OSError as error:
        raise WorkspaceError(f"cannot write {path}: {_reason(error)}") from None


def transcript(replies: Sequence["Reply"]) -> str:
    """Return a conversation as Markdown: questions, answers and where these stand."""
    from agent.cli.display import sources_of, summary

    parts = [f"# Conversation of {datetime.now():%Y-%m-%d %H:%M}"]
    for reply in replies:
        parts.append(f"## {_escaped(one_line(reply.question))}")
        if reply.searched != reply.question:
            parts.append(f"*Searched as: {_escaped(one_line(reply.searched))}*")
        parts.append(_answer(reply.answer))
        sources = sources_of(reply)
        if sources and reply.answer.abstained:
            parts.append("Nearest place:")
        parts += [
            f"{number}. {_escaped(source.name)}: {_escaped(source.place)}\n"
            f"   > {_escaped(one_line(source.citation.quote))}"
            for number, source in enumerate(sources, 1)
        ]
        parts.append(f"*{_escaped(summary(reply))}*")
    return "\n\n".join(parts) + "\n"


def _answer(answer: "Answer") -> str:
    if answer.text is None:
        return f"No answer: {_escaped(one_line(answer.reason or 'none was found'))}."
    text, spans = printable_spans(answer.text, answer.highlights)
    pieces, at = [], 0
    for start, end in sorted(spans):
        if at <= start < end:
            pieces += [_escaped(text[at:start]), f"**{_escaped(text[start:end])}**"]
            at = end
    pieces.append(_escaped(text[at:]))
    return "".join(pieces).strip()


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return _MARKUP.sub(lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}{_item(m[3])}", printable(text))


def _item(mark: str) -> str:
    return f"{mark[:-1]}\\{mark[-1]}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
