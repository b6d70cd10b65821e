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
from agent.router.remember import FOREIGN, passages_of
from agent.router.router import memory_of
from agent.router.speller import FILE as WORDS
from agent.router.speller import Speller
from agent.router.success import FILE
from agent.router.versions import Versions
from agent.workspace import Workspace
from pipelines.embed.embedder import Embedder

if TYPE_CHECKING:
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
    """

    version: str
    questions: dict[str, int]
    errors: tuple[tuple[int, str], ...]
    tuned: bool


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
    belongs to none. Heads that were learned from outcomes are kept.

    :param labelled: Further questions with their adapters; see :class:`Labelled`.
    :param tune: Tune a copy of the encoder's last layers, which takes minutes and pays from
        some thousand labelled questions on.
    :param progress: Told how far it is.
    :raises RouterError: When there is nothing to fit to, or a file cannot be read.
    """
    memory = memory_of(workspace, embedder)
    names = sorted(memory.adapters)
    extra, errors = read_labelled(labelled, names) if labelled is not None else ([], [])
    texts = [(question, name) for name in names for question in memory.adapters[name].questions]
    texts += [(one.question, one.adapter or "") for one in extra]
    foreign = FOREIGN.read_text(encoding="utf-8").splitlines()
    counts = {name: sum(label == name for _, label in texts) for name in [*names, ""]}
    passages = passages_of(workspace)
    speller = Speller.of(
        [*(text for text, _ in texts), *foreign, *(one.content or "" for one in passages)]
    )
    trained = None
    if names and min(counts[name] for name in names) >= _LEAST:
        texts += [(text, "") for text in foreign]
        trained = _classifier(embedder, names, texts, tune, progress)
    versions = Versions(workspace.path / "router")
    current = versions.current()
    learned = versions.folder(current) / FILE

    def write(folder: Path) -> None:
        if learned.is_file() and versions.fits(current, embedder.fingerprint):
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
        "tuned": tune,
    }
    version = versions.add(write, notes, use=True)
    return Fitted(version, counts, tuple(errors), tune)


def _classifier(
    embedder: Embedder,
    names: Sequence[str],
    texts: Sequence[tuple[str, str]],
    tune: bool,
    progress: Progress | None,
) -> "Trained":
    from agent.router.train import Questions, last_layers, train

    places = {name: place for place, name in enumerate(names)}
    encodings = embedder.embed_queries([text for text, _ in texts])
    wanted = np.array([places.get(label, -1) for _, label in texts])
    body = None
    if tune:
        from pipelines.embed.model_files import find_model

        body = last_layers(find_model(embedder.fingerprint.partition("@")[0]).folder)
    return train(names, Questions(encodings, wanted), body=body, progress=progress)
