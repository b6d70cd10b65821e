"""What can go wrong in the pipelines, as a user should read it: one line, and what to do."""

from adapters.errors import ExpertError


class PipelineError(ExpertError):
    """Base of every error raised in this package; raised only through its subclasses."""


class ConversionError(PipelineError):
    """Raised when a file or table cannot be turned into text; says why, without the path."""


class PassingConversionError(ConversionError):
    """Raised when the same file may be read another time: a limit, a lack, a permission."""


class EmbedderError(PipelineError):
    """Raised when an embedding model cannot be loaded, exported, reached or verified."""


class ReaderError(PipelineError):
    """Raised when the reader cannot be exported or loaded."""


class GroundingError(PipelineError):
    """Raised when the model that judges whether evidence backs an answer cannot be loaded."""


class StoreError(PipelineError):
    """Raised when a document store cannot be opened, reached, migrated or written."""


class EmbedderMismatchError(StoreError):
    """Raised when the index was made by another embedder than the one now configured."""


class MissingExtraError(PipelineError):
    """Raised when a feature needs an optional extra that is not installed; names it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: in the checkout, pip install -e '.[{extra}]'")


class PipelineDefinitionError(PipelineError):
    """Raised when a pipeline's YAML is not valid or names a module that is not allowed."""


class TableError(PipelineError):
    """Raised when a query does not fit a table, or takes too long; says what there is."""
