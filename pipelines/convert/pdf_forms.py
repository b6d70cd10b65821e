"""What lies on a PDF page rather than in it: form fields with their values, and comments."""

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as raw

from pipelines.convert.extracted import clean

# Annotation flags (ISO 32000, table 165): invisible, hidden, not shown on screen.
_UNSEEN = 0x1 | 0x2 | 0x20
_CHECKED_TYPES = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_VALUE_TYPES = (
    raw.FPDF_FORMFIELD_TEXTFIELD,
    raw.FPDF_FORMFIELD_COMBOBOX,
    raw.FPDF_FORMFIELD_LISTBOX,
)
_PART = re.compile(r"(?:\[\d+\]|#\w+)+$")


@dataclass(frozen=True, slots=True)
class Field:
    """A form field.

    :param label: What it is called for a reader.
    :param value: What was filled in; empty where nothing was.
    """

    label: str
    value: str


def fields(page: Any, form: Any) -> list[Field]:
    """Return a page's form fields in order, each once.

    :param page: PDFium's page.
    :param form: PDFium's form environment.
    """
    found: dict[tuple[str, str], Field] = {}
    for annotation in _annotations(page, (raw.FPDF_ANNOT_WIDGET,)):
        kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
        name = _string(raw.FPDFAnnot_GetFormFieldName, form, annotation)
        shown = clean(_string(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation))
        label = shown or _readable(name)
        value = ""
        if kind in _CHECKED_TYPES:
            if raw.FPDFAnnot_IsChecked(form, annotation):
                value = clean(_string(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation))
                value = "yes" if value.lower() in ("", "on", "yes", "1", "true") else value
            if kind == raw.FPDF_FORMFIELD_RADIOBUTTON and not value:
                continue
        elif kind in _VALUE_TYPES:
            value = clean(_string(raw.FPDFAnnot_GetFormFieldValue, form, annotation))
        else:
            continue
        if label or value:
            found.setdefault((name or label, value), Field(label, value))
    return list(found.values())


def comments(page: Any) -> list[str]:
    """Return the texts of a page's notes, text boxes and marked-up passages."""
    kinds = (
        raw.FPDF_ANNOT_TEXT,
        raw.FPDF_ANNOT_FREETEXT,
        raw.FPDF_ANNOT_HIGHLIGHT,
        raw.FPDF_ANNOT_UNDERLINE,
        raw.FPDF_ANNOT_STRIKEOUT,
        raw.FPDF_ANNOT_CARET,
        raw.FPDF_ANNOT_STAMP,
    )
    texts = [
        clean(_string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        for annotation in _annotations(page, kinds)
    ]
    return [text for text in dict.fromkeys(texts) if text]


def _annotations(page: Any, kinds: tuple[int, ...]) -> Iterator[Any]:
    for index in range(raw.FPDFPage_GetAnnotCount(page.raw)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            seen = not raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN
            if seen and raw.FPDFAnnot_GetSubtype(annotation) in kinds:
                yield annotation
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _string(read: Callable[..., int], *arguments: Any) -> str:
    """Read one of PDFium's UTF-16 strings."""
    length = read(*arguments, None, 0)
    if length <= 2:
        return ""
    buffer = (ctypes.c_ushort * (length // 2 + 1))()
    read(*arguments, buffer, length)
    return bytes(buffer)[: length - 2].decode("utf-16-le", "replace")


def _readable(name: str) -> str:
    """Make a label of a field's name: ``form1[0].Page1[0].LastName[0]`` is Last Name."""
    last = _PART.sub("", name.rpartition(".")[2])
    return clean(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", last))
