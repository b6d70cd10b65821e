"""Settings: ``expert.toml``, overridden by ``EXPERT_*`` environment variables."""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from agent.errors import SettingsError

FILE_NAME = "expert.toml"
ENV_PREFIX = "EXPERT_"
# Read elsewhere than in Settings: where the workspace and the model cache are.
_OTHER_ENV = {"EXPERT_WORKSPACE", "EXPERT_CACHE"}
_TEST_ENV_PREFIX = "EXPERT_TEST_"
# No integer of SQLite is larger.
MOST_ROWS = 2**63 - 1
# Sizes in bytes and times to wait overflow some way beyond.
_LARGEST = 1e9


class _Section(BaseModel):
    """A table of ``expert.toml``."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class EmbedderSettings(_Section):
    """Which model turns passages and questions into vectors."""

    model: str = "minilm"
    """minilm, a sentence-transformers path or id, openai:MODEL or jina:MODEL."""
    base_url: str | None = None
    """Address of an OpenAI- or Jina-compatible server, instead of the provider's own."""
    api_key: SecretStr | None = None
    """Key of the API; OPENAI_API_KEY or JINA_API_KEY is used when this is not set."""
    dimensions: Annotated[int, Field(gt=0)] | None = None
    """Shorten API vectors to this many dimensions, where the model can."""


class IndexSettings(_Section):
    """How documents become passages."""

    max_tokens: Annotated[int, Field(ge=32, le=8192)] = 192
    """Longest passage, in tokens of the embedder, its title and headings included."""
    max_file_mb: Annotated[float, Field(gt=0, le=_LARGEST)] = 100
    """Larger files are skipped and reported."""
    timeout_s: Annotated[float, Field(gt=0, le=_LARGEST)] = 300
    """A file that takes longer to convert is skipped and reported."""
    memory_mb: Annotated[int, Field(ge=512)] = 2048
    """Memory a conversion may use before its file is skipped and reported."""
    exclude: tuple[str, ...] = ("node_modules", "__pycache__", "~$*", "Thumbs.db")
    """Names of files and folders to leave out; names that begin with a dot always are."""


class WeaviateSettings(_Section):
    """The server behind ``store = "weaviate"``."""

    url: str = "http://127.0.0.1:8080"
    """Address of its REST interface."""
    grpc_port: Annotated[int, Field(gt=0, lt=65536)] = 50051
    """Port of its gRPC interface, on the same host."""
    api_key: SecretStr | None = None
    """API key; better set as EXPERT_WEAVIATE__API_KEY than in the file."""
    collection: str = "Expert"
    """Name of the collection; workspaces that share a server need different ones."""


class RetrievalSettings(_Section):
    """How passages are found."""

    top_k: Annotated[int, Field(ge=1, le=1000)] = 10
    """Passages returned for a question."""
    candidates: Annotated[int, Field(ge=1, le=1000)] = 50
    """Passages taken from each of keyword and vector search before fusion."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Weight of vector search in the fusion; keyword search has the rest."""
    reranker: str = "auto"
    """auto, late, none, or a cross-encoder's path or id (extra: rerank)."""
    pipeline: Path | None = None
    """A YAML pipeline of your own in place of the built-in one."""


class ModelSettings(_Section):
    """Which language model writes answers, and how it is loaded."""

    name: str = "lab"
    """lab, a folder, or a hub id of a Phi-3 model; better chosen with `expert model use`."""
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8", "nf4"] = "auto"
    """How its weights are kept; auto measures what is fastest here."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes a GPU where there is one."""
    max_new_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    """Tokens of an answer at most."""


class AnswerSettings(_Section):
    """How questions are answered."""

    answerer: Literal["auto", "quote", "phi3"] = "auto"
    """quote (no language model), phi3, or auto for the one that measured better."""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """Least confidence of an answer; quote and adapters have calibrated ones when not set."""
    nli: str | None = None
    """Folder or hub id of a cross-encoder of inference that judges written answers too."""


class AgentSettings(_Section):
    """How questions are answered that one look into the documents cannot answer."""

    mode: Literal["auto", "on", "off"] = "auto"
    """auto goes step by step, by the model's own calls if it is not the lab model; on, off."""
    steps: Annotated[int, Field(ge=1, le=20)] = 6
    """Calls of tools a question may take, at most."""
    tokens: Annotated[int, Field(ge=256)] = 12000
    """Tokens that the model may read and write for it, at most."""


class RouterSettings(_Section):
    """How a question's route is chosen."""

    retrieval_cost: Annotated[float, Field(ge=0)] = 1.0
    """What the route retrieval costs, in any one unit; success is weighed against it."""
    expert_cost: Annotated[float, Field(ge=0)] = 1.0
    """What the route expert costs."""
    hybrid_cost: Annotated[float, Field(ge=0)] = 2.0
    """What the route hybrid costs."""
    cost_weight: Annotated[float, Field(ge=0)] = 0.02
    """How much likelihood of success one unit of cost is worth."""
    margin: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Under this lead of the best route the index is looked at before deciding."""

    @property
    def costs(self) -> dict[str, float]:
        """What each route costs; to give no answer costs nothing."""
        return {
            "retrieval": self.retrieval_cost,
            "expert": self.expert_cost,
            "hybrid": self.hybrid_cost,
            "abstain": 0.0,
        }


class TraceSettings(_Section):
    """How each answer came about, for `expert trace`."""

    keep: Annotated[int, Field(ge=0, le=MOST_ROWS)] = 1000
    """How many answers' traces are kept, the last ones; 0 keeps none."""


class Settings(BaseSettings):
    """Everything that can be set, with its default.

    A value comes from the environment (``EXPERT_RETRIEVAL__TOP_K=5``) or else from
    ``expert.toml`` or else from the default.

    :raises SettingsError: By :func:`load_settings` only; it explains the key at fault.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        use_attribute_docstrings=True,
    )

    store: Literal["sqlite", "weaviate"] = "sqlite"
    """Where passages are kept: one file in the workspace, or a Weaviate server."""
    embedder: EmbedderSettings = EmbedderSettings()
    index: IndexSettings = IndexSettings()
    weaviate: WeaviateSettings = WeaviateSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    agent: AgentSettings = AgentSettings()
    model: ModelSettings = ModelSettings()
    router: RouterSettings = RouterSettings()
    trace: TraceSettings = TraceSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose content comes as arguments."""
        return env_settings, init_settings


def settings_file(workspace: Path) -> Path | None:
    """Return the ``expert.toml`` in force: in the workspace or in the current folder.

    :raises SettingsError: When both exist, since neither should win unnoticed.
    """
    found = [path for path in (workspace / FILE_NAME, Path(FILE_NAME)) if path.is_file()]
    if len(found) == 2 and not found[0].samefile(found[1]):
        raise SettingsError(f"two settings files: {found[0]} and {found[1]}; keep one of them")
    return found[0] if found else None


def load_settings(path: Path | None) -> Settings:
    """Read the settings from a file and the environment.

    :param path: An ``expert.toml``; None for environment and defaults alone.
    :raises SettingsError: When the file is not TOML, or a key or value is not valid.
    """
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from None
        for key in _keys_of(content):
            _check_key(key, str(path))
    for variable in os.environ:
        if variable.startswith(ENV_PREFIX) and variable not in _OTHER_ENV:
            if variable.startswith(_TEST_ENV_PREFIX):
                continue
            key = variable.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            _check_key(key, "environment", shown=variable)
    try:
        return Settings(**content)
    except SourceError as error:
        raise SettingsError(f"environment: {error}; lists and sections are JSON there") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        place = str(path) if path is not None and key in set(_keys_of(content)) else "settings"
        raise SettingsError(f"{place}: {key}: {first['msg'].lower()}") from None


def _keys_of(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _keys_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def setting_keys() -> list[str]:
    """List every valid key, dotted, in the order of the settings' definition."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += [f"{name}.{key}" for key in section.model_fields]
        else:
            keys.append(name)
    return keys


def _check_key(key: str, place: str, shown: str | None = None) -> None:
    valid = setting_keys()
    # The environment may give a whole section at once, as JSON.
    if key in valid or (shown and any(name.startswith(f"{key}.") for name in valid)):
        return
    # A key put in the wrong table is nearest by its last part.
    last = key.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(key, valid, 1, 0.6) or [
        name for name in valid if name.rsplit(".", 1)[-1] == last
    ]
    if not near:
        tails = {name.rsplit(".", 1)[-1]: name for name in valid}
        near = [tails[tail] for tail in difflib.get_close_matches(last, list(tails), 1, 0.6)]
    if near:
        name = f"{ENV_PREFIX}{near[0].upper().replace('.', '__')}" if shown else near[0]
        hint = f"did you mean {name}?"
    else:
        hint = "`expert config show` lists the valid keys"
    raise SettingsError(f"{place}: unknown setting {shown or key}; {hint}")
