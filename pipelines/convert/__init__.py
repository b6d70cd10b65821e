"""Converters: one file a format, each turning a source into text with its structure."""
