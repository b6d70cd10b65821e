"""Spans of the steps to an answer, sent where Haystack's tracing sends its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haystack.tracing.tracer import Span


@contextmanager
def span(
    name: str, question: str | None = None, **tags: str | float | bool | None
) -> "Iterator[Span]":
    """Open a span; it costs nothing where no tracer is set up.

    :param name: Of the operation, such as ``expert.ask``.
    :param question: Kept where Haystack's tracing of content is on.
    :param tags: What is known when it begins; without those that are None.
    """
    # Whatever opens a span needs Haystack all the same, but not to be imported.
    from haystack.tracing.tracer import tracer

    known = {key: value for key, value in tags.items() if value is not None}
    with tracer.trace(name, tags=known) as opened:
        if question is not None:
            opened.set_content_tag("question", question)
        yield opened
