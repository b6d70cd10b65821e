"""Fit a workspace's router to its adapters and documents, and to labelled questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.errors import RouterError
from agent.json_lines import read_lines
from agent.router.remember import FOREIGN, memory_of, said_here
from agent.router.speller import FILE as WORDS
from agent.router.speller import Speller
from agent.router.success import FILE, Success
from agent.router.versions import Versions
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder

if TYPE_CHECKING:
    from torch.nn import Module

    from agent.router.train import Trained

Progress = Callable[[int, int], None]
_LEAST = 2


class Labelled(BaseModel):
    """A line of labelled questions: which adapter a question belongs to, or none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    adapter: str | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of fitting.

    :param version: The new router's name.
    :param questions: Questions learned from, by adapter; under the empty name those of none.
    :param errors: Lines of the labelled questions that were left out, and why.
    :param tuned: Whether the encoder's last layers were tuned.
    :param left: What else was left out, and why, as lines to tell.
    """

    version: str
    questions: dict[str, int]
    errors: tuple[tuple[int, str], ...]
    tuned: bool
    left: tuple[str, ...] = ()


def read_labelled(
    path: Path, adapters: Sequence[str]
) -> tuple[list[Labelled], list[tuple[int, str]]]:
    """Read labelled questions: one JSON object a line.

    :param adapters: The names that there are.
    :returns: The good lines, and number and reason of each bad one.
    :raises RouterError: When the file cannot be read.
    """
    lines, errors = read_lines(path, Labelled, RouterError)
    found = []
    for number, one in lines:
        if one.adapter is not None and one.adapter not in adapters:
            errors.append((number, f"adapter: there is no {one.adapter}"))
        else:
            found.append(one)
    return found, sorted(errors)


def fit(
    workspace: Workspace,
    embedder: Embedder,
    *,
    labelled: Path | None = None,
    tune: bool = False,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a workspace's router and take it into use.

    The adapters' own training questions teach their domains, and shipped questions what
    belongs to none. Heads that were learned from outcomes are kept, where they can be.

    :param labelled: Further questions with their adapters; see :class:`Labelled`.
    :param tune: Tune a copy of the encoder's last layers, which takes minutes and pays from
        some thousand labelled questions on.
    :param progress: Told how far it is.
    :raises RouterError: When there is nothing to fit to, or a file cannot be read.
    """
    versions = Versions(workspace.path / "router")
    current = versions.current()
    memory = memory_of(workspace, embedder)
    names = sorted(memory.adapters)
    extra, errors = read_labelled(labelled, names) if labelled is not None else ([], [])
    texts = [(question, name) for name in names for question in memory.adapters[name].questions]
    texts += [(one.question, one.adapter or "") for one in extra]
    foreign = FOREIGN.read_text(encoding="utf-8").splitlines()
    counts = {name: sum(label == name for _, label in texts) for name in [*names, ""]}
    asked = [one.question for one in extra]
    speller = Speller.of([*asked, *said_here(workspace, memory)])
    learned, left = _learned(versions, current, embedder)
    left += [
        f"adapter {name} has fewer than {_LEAST} questions: the classifier does not know it"
        for name in names
        if counts[name] < _LEAST
    ]
    taught = [name for name in names if counts[name] >= _LEAST]
    trained = None
    if taught:
        texts = [(text, label) for text, label in texts if not label or label in taught]
        texts += [(text, "") for text in foreign]
        body = _last_layers(workspace, embedder) if tune else None
        trained = _classifier(embedder, speller, taught, texts, body, progress)
    elif tune:
        left.append(f"no adapter has {_LEAST} questions: nothing was tuned")
    tuned = tune and trained is not None

    def write(folder: Path) -> None:
        if learned is not None:
            copyfile(learned, folder / FILE)
        speller.save(folder / WORDS)
        if trained is not None:
            trained.classifier.save(folder, trained.layers)

    notes: dict[str, Any] = {
        "made_by": "fit",
        "from": current,
        "embedder": embedder.fingerprint,
        "adapters": memory.references,
        "questions": counts,
        "tuned": tuned,
    }
    version = versions.add(write, notes, use=True)
    return Fitted(version, counts, tuple(errors), tuned, tuple(left))


def _learned(versions: Versions, version: str, embedder: Embedder) -> tuple[Path | None, list[str]]:
    """Return the file of heads that a version learned, or None and why they are left out."""
    path = versions.folder(version) / FILE
    if not path.is_file():
        return None, []
    why = "is of another embedder"
    try:
        if versions.fits(version, embedder.fingerprint):
            Success.load(path)
            return path, []
    except RouterError:
        why = "cannot be read"
    said = f"what router {version} learned from outcomes {why}; left out: run `expert router learn`"
    return None, [said]


def _classifier(
    embedder: Embedder,
    speller: Speller,
    names: Sequence[str],
    texts: Sequence[tuple[str, str]],
    body: "Module | None",
    progress: Progress | None,
) -> "Trained":
    from agent.router.slips import MOST_TUNED, MOST_UNTUNED, slips_of
    from agent.router.train import Questions, train

    places = {name: place for place, name in enumerate(names)}
    said = [text for text, _ in texts]
    wanted = np.array([places.get(label, -1) for _, label in texts])
    questions = Questions(embedder.embed_queries(said), wanted)
    most = MOST_UNTUNED if body is None else MOST_TUNED
    # An embedder elsewhere is paid by the text, and does not know which words are whole.
    slips = slips_of(said, embedder, speller, most=most) if embedder.has_token_states else None
    return train(names, questions, slips=slips, body=body, progress=progress)


def _last_layers(workspace: Workspace, embedder: Embedder) -> "Module":
    """Return the layers to tune of the settings' model, if the embedder is of it."""
    from agent.router.train import last_layers
    from pipelines.embed.model_files import find_model

    if embedder.has_token_states:
        model = find_model(workspace.settings.embedder.model)
        if embedder.fingerprint.startswith(f"{model.name}@{model.digest[:16]}:"):
            return last_layers(model.folder)
    raise RouterError("this embedder's layers cannot be tuned: fit without --tune")
