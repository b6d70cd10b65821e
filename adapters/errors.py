"""Errors of the adapters, and the base that the whole product's errors share."""


class ExpertError(Exception):
    """Base of every error that a user can cause or cure; its text is one line to act on.

    Raised only through its subclasses. The command line prints it without a traceback.
    """
