"""Errors of the adapters, and the base that the whole product's errors share."""


class ExpertError(Exception):
    """Base of every error that a user can cause or cure; its text is one line to act on.

    Raised only through its subclasses. The command line prints it without a traceback.
    """


class AdaptersError(ExpertError):
    """Base of every error raised in this package; raised only through its subclasses."""


class CacheError(AdaptersError):
    """Raised when the user's cache folder cannot be written."""


class ModelError(AdaptersError):
    """Raised when a language model cannot be found, fetched, verified, built or loaded."""


class NotEnoughRoomError(ModelError):
    """Raised when a model does not fit into free memory or disk; says how much it needs."""


class GenerationError(AdaptersError):
    """Raised when a request cannot be generated from: too long, empty, or not well formed."""


class OverloadedError(GenerationError):
    """Raised when too many requests wait already; says how many."""


class DeadlineError(GenerationError):
    """Raised when an answer was not complete in the time that its request allowed."""


class AdapterError(AdaptersError):
    """Raised when an adapter cannot be found, read, published or taken in; names its fault."""


class TrainingDataError(AdaptersError):
    """Raised when data cannot be trained on: unreadable, too few rows, or bad ones in strict."""


class TrainingError(AdaptersError):
    """Raised when a training cannot start, resume or go on; says what to change."""
