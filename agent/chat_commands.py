"""What can be typed in a chat besides questions: commands that begin with a slash."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from agent.chat_log import save_transcript
from agent.cli.display import numbered, print_source, print_text, shortened, source_text, sources_of
from agent.printable import one_line

if TYPE_CHECKING:
    from agent.chat import Chat

ANSWERERS = ("quote", "phi3")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the chat.

    :param usage: How it is typed, without the slash.
    :param help: What it does, in one line.
    :param run: Does it; given the chat and what was typed behind the name.
    :param arguments: Words that may stand behind it, for completion.
    """

    usage: str
    help: str
    run: Callable[["Chat", str], None]
    arguments: tuple[str, ...] = ()


def run_command(chat: "Chat", line: str) -> None:
    """Run what was typed behind a slash, or say which command is nearest to it.

    :param line: The line, with its slash.
    """
    name, _, argument = line[1:].partition(" ")
    argument = argument.strip()
    if name.endswith("!") and name[:-1] == "save":
        _save(chat, argument, replace=True)
    elif name in COMMANDS:
        COMMANDS[name].run(chat, argument)
    else:
        near = difflib.get_close_matches(name.casefold(), COMMANDS, 1, 0.5)
        near = [c for c in COMMANDS if name and c.startswith(name.casefold())] or near
        hint = f"did you mean /{near[0]}?" if near else "/help lists the commands"
        chat.complain(f"unknown command /{one_line(name)[:40]}: {hint}")


def _sources(chat: "Chat", argument: str) -> None:
    reply = chat.last
    if reply is None:
        chat.complain("nothing was asked yet")
        return
    sources = sources_of(reply)
    if not sources:
        chat.complain("the last answer has no sources")
        return
    if not argument:
        for number, source in enumerate(sources, 1):
            chat.console.print(
                numbered(chat.console, number, source_text(source)),
                soft_wrap=not chat.console.is_terminal,
            )
        print_text(chat.console, Text("/sources 1 opens the first", style="dim"))
        return
    if not argument.isdecimal() or not 1 <= int(argument) <= len(sources):
        among = "1" if len(sources) == 1 else f"1 to {len(sources)}"
        chat.complain(f"there is no source {one_line(argument)[:40]}: choose {among}")
        return
    number = int(argument)
    chat.show(lambda console: print_source(console, sources[number - 1], number))


def _route(chat: "Chat", argument: str) -> None:
    reply = chat.last
    if reply is None:
        chat.complain("nothing was asked yet")
        return
    answer = reply.answer
    rows = {
        "asked": shortened(reply.question),
        "searched as": shortened(reply.searched),
        "passages found": str(len(reply.hits)),
        "route": reply.route + (f" ({one_line(answer.reason)})" if answer.reason else ""),
        "answerer": answer.answerer + (f", adapter {reply.adapter}" if reply.adapter else ""),
        "confidence": f"{answer.confidence:.2f}",
        "time": ", ".join(f"{name} {ms:.0f} ms" for name, ms in reply.timings_ms.items()),
    }
    if reply.decision is not None:
        rows["chosen because"] = "; ".join(map(one_line, reply.decision.reasons))
    if answer.usage:
        rows["tokens"] = ", ".join(
            f"{name.replace('_tokens', '')} {count}" for name, count in answer.usage.items()
        )
    _print_rows(chat, rows)


def _model(chat: "Chat", argument: str) -> None:
    if argument and argument not in ANSWERERS:
        chat.complain(f"no answerer {one_line(argument)[:40]}: choose {' or '.join(ANSWERERS)}")
        return
    if argument:
        chat.switch(argument)
    print_text(chat.console, Text(chat.answerer()))


def _rate(chat: "Chat", score: float) -> None:
    reply = chat.last
    if reply is None:
        chat.complain("there is no answer yet")
        return
    if chat.workspace is None:
        chat.complain("nothing is kept of this chat")
        return
    from agent.router.outcomes import FILE, Outcome, OutcomeStore
    from agent.router.remember import index_stamp, references
    from agent.workspace import Workspace

    workspace = Workspace(chat.workspace)
    decision = reply.decision
    outcome = Outcome(
        # A second thought about the same answer replaces the first.
        id=chat.reply_id,
        # What a follow-up asks can be told only from its completed form.
        question=reply.searched,
        route=reply.route,
        adapter=reply.adapter,
        score=score,
        cost=decision.expected_cost if decision else 0.0,
        features=(decision.features or {}) if decision else {},
        latency_ms=reply.timings_ms.get("total", 0.0),
        source="chat",
        router_version=decision.router_version if decision else "",
        index_version=index_stamp(workspace),
        adapters=references(workspace),
    )
    with OutcomeStore(workspace.path / "router" / FILE) as store:
        store.add([outcome])
    said = "a good" if score else "a bad"
    print_text(chat.console, Text(f"Kept as {said} answer.", style="dim"))


def _good(chat: "Chat", argument: str) -> None:
    _rate(chat, 1.0)


def _bad(chat: "Chat", argument: str) -> None:
    _rate(chat, 0.0)


def _clear(chat: "Chat", argument: str) -> None:
    chat.forget()
    print_text(chat.console, Text("The conversation is forgotten.", style="dim"))


def _save(chat: "Chat", argument: str, *, replace: bool = False) -> None:
    if argument.endswith(" !"):
        argument, replace = argument[:-2].rstrip(), True
    if not argument:
        chat.complain("say where to: /save FILE")
        return
    if not chat.replies:
        chat.complain("nothing was said yet")
        return
    path = Path(argument.strip("\"'")).expanduser()
    save_transcript(chat.replies, path, replace=replace)
    print_text(chat.console, Text(f"Saved to {one_line(str(path))}.", style="dim"))


def _help(chat: "Chat", argument: str) -> None:
    _print_rows(chat, {f"/{command.usage}": command.help for command in COMMANDS.values()})
    keys = (
        "Enter asks, Alt-Enter begins a new line, Tab completes commands, Ctrl-C gives up "
        "the line or the answer, Ctrl-D leaves. A question that begins with / takes a "
        "space before it."
    )
    print_text(chat.console, Text(keys, style="dim"))


def _quit(chat: "Chat", argument: str) -> None:
    chat.leaving = True


def _print_rows(chat: "Chat", rows: dict[str, str]) -> None:
    if not chat.console.is_terminal:
        for name, value in rows.items():
            print_text(chat.console, Text(f"{name}: {value}"))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name, style="bold"), Text(value))
    chat.console.print(table)


COMMANDS = {
    "sources": Command(
        "sources [NUMBER]", "List the last answer's sources, or open the passage of one.", _sources
    ),
    "route": Command("route", "Show how the last question was answered.", _route),
    "model": Command(
        f"model [{'|'.join(ANSWERERS)}]",
        "Show what answers, or let the other answer.",
        _model,
        ANSWERERS,
    ),
    "good": Command("good", "Say that the last answer was right, for the router to learn.", _good),
    "bad": Command("bad", "Say that the last answer was wrong.", _bad),
    "clear": Command("clear", "Forget the conversation.", _clear),
    "save": Command(
        "save FILE", "Write the conversation as Markdown; /save! replaces a file.", _save
    ),
    "help": Command("help", "List the commands and keys.", _help),
    "quit": Command("quit", "Leave; what was said is kept in the workspace.", _quit),
}
