"""An adapter's card: what it was made of, on what, and how well it does."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
)

from adapters.cache import write_whole
from adapters.errors import AdapterError

if TYPE_CHECKING:
    from adapters.models import ModelFiles

CARD_FILE = "adapter_card.json"
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9_-]{0,63})"
MOST_DESCRIPTION, MOST_DOMAIN = 10_000, 200
"""Characters."""
_MOST_BYTES = 50_000_000
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """Part of a card."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class BaseModelRef(_Part):
    """The language model that an adapter was trained on.

    :param name: "lab", a folder's path, or a hub id; what a user knows it by.
    :param revision: The hub's commit; None for others.
    :param fingerprint: Hash over its weights, configuration, tokenizer and chat template.
    """

    name: str = Field(max_length=4096)
    revision: str | None = Field(default=None, max_length=256)
    fingerprint: Sha256


class SourceDocument(_Part):
    """A document that training data came from.

    :param document: Its name, as the index gives it.
    :param sha256: Hash of its content at the time of training.
    """

    document: str = Field(min_length=1, max_length=4096)
    sha256: Sha256


class FileFacts(_Part):
    """A file of an adapter as it was published.

    :param bytes: Its size.
    :param sha256: Hash of its content.
    """

    bytes: int = Field(ge=0)
    sha256: Sha256


class AdapterCard(_Part):
    """What is known of an adapter. Publishing sets ``name``, ``version`` and ``files``.

    :param format: Version of this form.
    :param name: Lower-case letters, digits, - and _.
    :param version: 1 for the first of its name; 0 for one that is not published yet.
    :param description: What it is for, in a sentence or more.
    :param domain: The domain that it answers for.
    :param origin: Trained here, or imported without a card of its own.
    :param examples: Training examples; None where that is not known.
    :param data_sha256: Hash of the training data; None where that is not known.
    :param sources: Documents that the training data came from.
    :param metrics: Such as ``eval_loss_before`` and ``eval_loss_after``.
    :param versions: Versions of the libraries that it was trained with.
    :param questions: Some of the questions that it was trained on, for the router.
    :param question_sources: Of each of these the documents that it rests on; empty where none is
        known.
    :param question_answers: Of each of these the answer taught, or an empty text where it is long
        or rests on more than the question. Empty where not all questions are kept.
    :param files: The adapter's other files, by name.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    version: int = Field(default=0, ge=0, le=9999)
    description: str = Field(default="", max_length=MOST_DESCRIPTION)
    domain: str = Field(default="", max_length=MOST_DOMAIN)
    base: BaseModelRef
    origin: Literal["trained", "imported"] = "trained"
    method: Literal["qlora", "lora", "full"] = "lora"
    rank: int = Field(ge=1)
    alpha: float
    target_modules: tuple[str, ...]
    hyperparameters: dict[str, JsonValue] = Field(default_factory=dict)
    examples: int | None = Field(default=None, ge=0)
    data_sha256: Sha256 | None = None
    sources: tuple[SourceDocument, ...] = ()
    metrics: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    created: Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))] = Field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0)
    )
    questions: tuple[Annotated[str, Field(max_length=10_000)], ...] = Field(
        default=(), max_length=1000
    )
    question_sources: tuple[tuple[str, ...], ...] = Field(default=(), max_length=1000)
    question_answers: tuple[Annotated[str, Field(max_length=300)], ...] = Field(
        default=(), max_length=1000
    )
    files: dict[str, FileFacts] = Field(default_factory=dict)

    @field_validator("target_modules")
    @classmethod
    def _in_order(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(modules))

    @property
    def reference(self) -> str:
        """Name and version, as ``name@3``."""
        return f"{self.name}@{self.version}"

    @property
    def size(self) -> int:
        """Bytes of the published files."""
        return sum(file.bytes for file in self.files.values())

    def before_and_after(self) -> tuple[str, float, float] | None:
        """Return a metric taken before and after training: its name and both values."""
        for key, before in sorted(self.metrics.items()):
            name = key.removesuffix("_before")
            if name != key and f"{name}_after" in self.metrics:
                return name, before, self.metrics[f"{name}_after"]
        return None

    def to_json(self) -> str:
        """Return the card in its one written form: keys sorted, two blanks of indent."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> None:
        """Write the card into an adapter's folder."""
        write_whole(folder / CARD_FILE, self.to_json().encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the card in an adapter's folder.

        :raises AdapterError: When there is none, or it is not a card.
        """
        path = folder / CARD_FILE
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else error.strerror
            raise AdapterError(f"not an adapter's folder: {path} {reason}") from None
        if len(content) > _MOST_BYTES:
            raise AdapterError(f"{path} is too long for a card")
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise AdapterError(f"{path} is not a card: {_first(error)}") from None


def base_of(files: "ModelFiles") -> BaseModelRef:
    """Return how cards refer to a language model that is on this machine.

    Its files are hashed when they changed since the last time.

    :raises ModelError: When they cannot be read.
    """
    return BaseModelRef(name=files.name, revision=files.revision, fingerprint=files.digest())


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    place = ".".join(map(str, found["loc"]))
    # A card of a later form has fields that this one does not know.
    if place == "format":
        return "it was made by a newer phi-expert: upgrade"
    return f"{place}: {found['msg']}" if place else str(found["msg"])
