"""Which answerer is the default: the one that measured better, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from agent.errors import WorkspaceError
from agent.workspace import Workspace, cannot_write

MEASURED = "answerers.json"
"""File in a workspace with the shares of right answers measured on its own questions."""

_LAB_MODELS = ("lab", "lab-bare")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is in force, with the reason why.

    :param name: Of an answerer, ``quote`` or ``phi3``; ``on`` or ``off``.
    :param reason: In one line.
    """

    name: str
    reason: str


def chosen_answerer(workspace: Workspace) -> Choice:
    """Return the answerer in force.

    That is the one that the settings name; with ``auto`` the one that measured better on
    the workspace's questions (``expert measure``), or, before any were measured, ``quote``.

    :raises WorkspaceError: When the measurement cannot be read.
    """
    name = workspace.settings.answer.answerer
    if name != "auto":
        return Choice(name, "set by answer.answerer")
    path = workspace.path / MEASURED
    if not path.is_file():
        return Choice("quote", "the default until `expert measure QUESTIONS` compares both")
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        quote, phi3 = (float(figures[f"{name}_right"]) for name in ("quote", "phi3"))
        count, model = int(figures["questions"]), str(figures["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(
            f"{path} cannot be read ({error}): run `expert measure` anew"
        ) from None
    if model != workspace.settings.model.name:
        return Choice("quote", "the default until `expert measure` compares it with the new model")
    reason = f"of {count} questions quote was right on {quote:.0%}, {model} on {phi3:.0%}"
    return Choice("phi3" if phi3 > quote else "quote", reason)


def chosen_agent(workspace: Workspace) -> Choice:
    """Return whether the model may search by itself, ``on`` or ``off``, and why.

    With ``auto`` that is where it is on this machine and not the lab model, which was measured
    and cannot (docs/decisions.md).
    """
    from adapters.errors import ModelError
    from adapters.models import find_local

    mode, name = workspace.settings.agent.mode, workspace.settings.model.name
    if mode != "auto":
        return Choice(mode, "set by agent.mode")
    if name in _LAB_MODELS:
        return Choice(
            "off",
            "the lab model cannot: with it none of 42 questions of several steps became right",
        )
    try:
        find_local(name)
    except ModelError:
        return Choice("off", f"{name} is not on this machine")
    return Choice("on", f"{name} is more than the lab model; `expert eval` measures it")


def record(workspace: Workspace, measured: Mapping[str, Mapping[str, float]]) -> None:
    """Keep what was measured of both answerers, for :func:`chosen_answerer`.

    :raises WorkspaceError: When it cannot be written.
    """
    figures = {f"{name}_right": found["right"] for name, found in measured.items()}
    found = next(iter(measured.values()))
    figures["questions"] = found["questions"]
    content = figures | {"model": workspace.settings.model.name}
    workspace.create()
    path = workspace.path / MEASURED
    try:
        path.write_text(json.dumps(content), encoding="utf-8")
    except OSError as error:
        raise cannot_write(path, error) from None
