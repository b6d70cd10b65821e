"""Errors of the agent's own layer."""

from adapters.errors import ExpertError


class AgentError(ExpertError):
    """Base of every error raised in this package; raised only through its subclasses."""


class SettingsError(AgentError):
    """Raised when a setting is unknown or invalid; names its place and the nearest valid key."""


class WorkspaceError(AgentError):
    """Raised when a workspace cannot be created, opened or locked, or holds no index."""


class SuiteError(AgentError):
    """Raised when a suite of questions cannot be read or holds none; names file and line."""


class BatchError(AgentError):
    """Raised when a batch's files cannot be read or written, or do not belong together."""


class LabError(AgentError):
    """Raised when data to teach the lab model, or a run made of it, is not what it should be."""


class RouterError(AgentError):
    """Raised when a router cannot be fitted, read, promoted or rolled back; says what to do."""


class StreamError(AgentError):
    """Raised where a reply is asked of a stream that was closed before it was there."""


class TraceError(AgentError):
    """Raised when traces cannot be read or written, or there is none of a name."""


class ReportError(AgentError):
    """Raised when a report cannot be written; names its place."""


class AdviceError(AgentError):
    """Raised when nothing can be advised: too few questions, or a run of other input."""
