"""What is installed and reachable on this machine, and what to do about each gap."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from adapters.errors import ExpertError
from agent.settings import settings_file
from agent.workspace import Workspace

State = Literal["ok", "gap", "problem"]
# Extra → (modules that it brings, what it is for).
_EXTRAS = {
    "weaviate": (("weaviate", "haystack_integrations.document_stores.weaviate"), "Weaviate store"),
    "rerank": (("sentence_transformers",), "cross-encoder rerankers, sentence-transformers models"),
    "jina": (("haystack_integrations.components.embedders.jina",), "Jina embeddings by API"),
    "train": (("peft", "bitsandbytes", "trl"), "training adapters with QLoRA"),
    "postgres": (("psycopg",), "PostgreSQL tables"),
}
_HUB = ("huggingface.co", 443)
_DRIVER_WAIT_S = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    :param name: What was looked at.
    :param state: ``ok``; ``gap`` for something optional that is missing; ``problem`` for
        something that the settings ask for and that does not work.
    :param detail: What was found.
    :param advice: What to do about it; empty when nothing.
    """

    name: str
    state: State
    detail: str
    advice: str = ""


def diagnose(workspace: Workspace) -> Iterator[Check]:
    """Yield the findings one by one, since some take a second."""
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield _version()
    yield from _extras()
    yield _device()
    yield _disk(workspace)
    yield from _guarded("settings", lambda: _settings(workspace))
    try:
        workspace.settings  # noqa: B018 - without settings nothing below can be looked at
    except ExpertError:
        return
    yield from _guarded("embedder", lambda: _embedder(workspace))
    yield from _guarded("store", lambda: _store(workspace))
    yield from _guarded("index", lambda: _index(workspace))
    yield from _guarded("language model", lambda: _language_model(workspace))
    yield from _guarded("answerer", lambda: _answerer(workspace))
    yield from _guarded("agent", lambda: _agent(workspace))
    yield _hub()


def _guarded(name: str, look: Callable[[], Check]) -> Iterator[Check]:
    try:
        yield look()
    except ExpertError as error:
        yield Check(name, "problem", str(error))


def _version() -> Check:
    try:
        version = importlib.metadata.version("phi-expert")
    except importlib.metadata.PackageNotFoundError:
        return Check("phi-expert", "problem", "not installed", "pip install -e .")
    haystack = importlib.metadata.version("haystack-ai")
    return Check("phi-expert", "ok", f"{version}, Haystack {haystack}")


def _extras() -> Iterator[Check]:
    for extra, (modules, purpose) in _EXTRAS.items():
        missing = [name for name in modules if not _installed(name)]
        if missing:
            advice = f"in the checkout: pip install -e '.[{extra}]'"
            yield Check(f"extra {extra}", "gap", f"not installed: {purpose}", advice)
        else:
            yield Check(f"extra {extra}", "ok", purpose)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _device() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = f"{cores} CPU cores"
    # Asking torch would take seconds; the driver's tool knows as well.
    tool = shutil.which("nvidia-smi")
    if tool:
        import subprocess

        query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        try:
            told = subprocess.run(  # noqa: S603
                query, capture_output=True, text=True, check=True, timeout=_DRIVER_WAIT_S
            ).stdout
        except (OSError, subprocess.SubprocessError):
            told = ""  # a driver that is not loaded, or hangs
        if told.strip():
            return Check("device", "ok", f"{'; '.join(told.split(chr(10))).strip('; ')}; {cpu}")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Check("device", "ok", f"Apple GPU; {cpu}")
    return Check("device", "ok", f"{cpu}, no GPU", "indexing and search need none")


def _disk(workspace: Workspace) -> Check:
    try:
        folder = workspace.path.absolute()
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free_gb = shutil.disk_usage(there).free / 1e9
    except OSError as error:
        return Check("disk", "problem", f"workspace {workspace.path}: {error.strerror}")
    if free_gb < 2:
        return Check(
            "disk", "problem", f"{free_gb:.1f} GB free", "an index needs about 10 kB a passage"
        )
    return Check("disk", "ok", f"{free_gb:.0f} GB free")


def _settings(workspace: Workspace) -> Check:
    path = settings_file(workspace.path)
    settings = workspace.settings
    detail = f"store {settings.store}, embedder {settings.embedder.model}"
    return Check("settings", "ok", f"{detail} ({path or 'defaults; no expert.toml'})")


def _embedder(workspace: Workspace) -> Check:
    from agent.assemble import open_embedder

    embedder = open_embedder(workspace)
    detail = f"{embedder.fingerprint}, {embedder.dimensions} dimensions"
    return Check("embedder", "ok", detail)


def _store(workspace: Workspace) -> Check:
    from agent.assemble import open_store

    if workspace.settings.store == "sqlite" and not workspace.index_folder.exists():
        return Check("store", "gap", "no index yet", "expert index FOLDER")
    store = open_store(workspace)
    try:
        count = store.count_documents()
    finally:
        store.close()
    return Check("store", "ok", f"{workspace.settings.store}, {count} passages")


def _index(workspace: Workspace) -> Check:
    from pipelines.catalog import Catalog

    path = workspace.index_folder / "catalog.sqlite"
    if not path.exists():
        return Check("index", "gap", "nothing is indexed", "expert index FOLDER")
    with Catalog(path, read_only=True) as catalog:
        count = catalog.count()
    detail = f"{count.get('done', 0)} documents, {count.get('skipped', 0)} skipped"
    if count.get("open"):
        advice = "run the same `expert index` command again"
        return Check("index", "problem", f"{detail}, {count['open']} half written", advice)
    return Check("index", "ok", detail)


def _answerer(workspace: Workspace) -> Check:
    from agent.answerers import chosen_answerer

    choice = chosen_answerer(workspace)
    return Check("answerer", "ok", f"{choice.name}: {choice.reason}")


def _agent(workspace: Workspace) -> Check:
    from agent.answerers import chosen_agent

    choice = chosen_agent(workspace)
    return Check("agent", "ok", f"{choice.name}: {choice.reason}")


def _language_model(workspace: Workspace) -> Check:
    from adapters.errors import ModelError
    from adapters.models import facts_of, find_local

    name = workspace.settings.model.name
    try:
        facts = facts_of(find_local(name))
    except ModelError as error:
        # The lab model is optional until it is asked for; any other was asked for.
        return Check("language model", "gap" if name == "lab" else "problem", str(error))
    detail = f"{name}, {facts.parameters / 1e6:,.0f} million parameters"
    if name == "lab":
        advice = "for work: expert model use microsoft/Phi-3-mini-4k-instruct"
        return Check("language model", "ok", f"{detail}: for trying out and for tests", advice)
    return Check("language model", "ok", detail)


def _hub() -> Check:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Check("model hub", "gap", "HF_HUB_OFFLINE is set", "unset it to fetch models by id")
    try:
        socket.create_connection(_HUB, timeout=3).close()
    except OSError:
        advice = "models by id cannot be fetched; use the path of a local copy"
        return Check("model hub", "gap", f"{_HUB[0]} cannot be reached", advice)
    return Check("model hub", "ok", f"{_HUB[0]} can be reached")
