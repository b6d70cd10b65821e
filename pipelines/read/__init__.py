"""The reader: which words of a text answer a question, if any do."""

from pipelines.read.reader import Reader, Reading, Text, open_reader

__all__ = ["Reader", "Reading", "Text", "open_reader"]
