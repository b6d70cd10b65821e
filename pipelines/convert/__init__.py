"""Converters: one file a format, each turning a source into text with its structure."""

import importlib
from pathlib import Path

from pipelines.convert.extracted import Extracted
from pipelines.errors import ConversionError, PassingConversionError

# Suffix → module of this package; `format` in a passage's meta is the module's name.
FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".eml": "eml",
}
# What people try most, and what helps.
_ADVICE = {
    ".doc": "save it as .docx first",
    ".ppt": "save it as .pptx first",
    ".xls": "save it as .xlsx first",
    ".odt": "save it as .docx first",
    ".rtf": "save it as .docx first",
    ".msg": "save it as .eml first",
    ".zip": "unpack it first",
    ".gz": "unpack it first",
    ".png": "images have no text; run OCR first",
    ".jpg": "images have no text; run OCR first",
    ".jpeg": "images have no text; run OCR first",
    ".tiff": "images have no text; run OCR first",
}


def format_of(path: Path) -> str:
    """Return the name of the format that a file's suffix stands for.

    :raises ConversionError: When no converter knows it.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        advice = f"; {_ADVICE[suffix]}" if suffix in _ADVICE else ""
        raise ConversionError(f"no converter for {suffix or 'a file without suffix'}{advice}")
    return FORMATS[suffix]


def convert_file(path: Path) -> Extracted:
    """Turn a file into text with its structure, by the converter of its suffix.

    :raises PassingConversionError: When the file cannot be read for now; says why.
    :raises ConversionError: When it is damaged or holds no text; says why.
    """
    module = importlib.import_module(f"pipelines.convert.{format_of(path)}")
    try:
        extracted: Extracted = module.convert(path)
    except ConversionError:
        raise
    except FileNotFoundError:
        raise PassingConversionError("vanished while it was being read") from None
    except OSError as error:
        raise PassingConversionError((error.strerror or str(error)).lower()) from None
    except MemoryError:
        raise PassingConversionError("needs more memory than a conversion may use") from None
    except RecursionError:
        raise ConversionError("nested too deeply") from None
    except Exception as error:  # format libraries raise anything on a damaged file
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(f"damaged or not a {path.suffix} file ({reason})") from error
    if not extracted.text:
        raise ConversionError("holds no text")
    return extracted
