"""From bytes to text: which encoding a file is in, and whether it is text at all."""

import codecs
import re
from collections import Counter
from contextlib import suppress

from pipelines.errors import ConversionError

# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 1 << 16
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_PLAIN = re.compile(rb"[\t\n\r -~]")
_HIGH = re.compile(rb"[\x80-\xff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
# Code points by their upper byte: East Asia's, and what stands beside letters of any script.
_EAST_ASIA = frozenset([0x30, *range(0x4E, 0xA0), *range(0xAC, 0xD8)])
_BESIDE = frozenset([0x00, 0x20, 0x21, 0x30, 0xFF])
# Error handler that reads each byte which is not UTF-8 as Windows-1252.
_FALLBACK = "phi-expert-windows-1252"


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return bad.decode("cp1252", "replace"), error.end


codecs.register_error(_FALLBACK, _windows_1252)


def decode(data: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """Turn a file's bytes into text.

    A byte-order mark decides (UTF-8's where what follows is that), then valid UTF-8, then
    what the file declares, then zero bytes in UTF-16's pattern or UTF-16 in the letters of
    another script, then a guess from the letters (charset-normalizer).

    :param data: The whole file.
    :param declared: Encoding that the file names for itself, if any.
    :returns: The text without its mark, and one line saying what was guessed or
        repaired (None when nothing was).
    :raises ConversionError: When it is no text.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _checked(data[len(mark) :].decode(name, "replace")), None
    if data.startswith(codecs.BOM_UTF8):
        # Some programs write it before anything: what is not UTF-8 is read as without it.
        data = data.removeprefix(codecs.BOM_UTF8)
        with suppress(UnicodeDecodeError):
            return _checked(data.decode("utf-8")), None
    sample = data[:_SAMPLE_BYTES]
    if b"\0" in sample:
        return _wide(data, sample)
    meant = _meant(declared) if declared else ()
    if meant and meant[0].startswith("iso2022") and b"\x1b" in data:
        # Seven bits only: valid UTF-8 as well, but not what it says.
        return _checked(data.decode(meant[0], "replace")), None
    try:
        return _checked(data.decode("utf-8")), None
    except UnicodeDecodeError:
        pass
    for name in meant:
        try:
            return _checked(data.decode(name)), None
        except (UnicodeDecodeError, LookupError):
            pass
    high = len(_HIGH.findall(data))
    multibyte = sum(len(found) for found in _MULTIBYTE.findall(data))
    if multibyte > high / 2:
        notice = f"{high - multibyte} bytes are not UTF-8 and were read as Windows-1252"
        return _checked(repaired(data)), notice
    # The first accent may stand far down.
    first = _HIGH.search(data)
    start = first.start() if first else 0
    name = _guess(data[start : start + _SAMPLE_BYTES])
    return _checked(data.decode(name, "replace")), f"encoding guessed: {name}"


def repaired(data: bytes) -> str:
    """Decode UTF-8, each byte that is none as Windows-1252."""
    return data.decode("utf-8", _FALLBACK)


def _meant(declared: str) -> tuple[str, ...]:
    """Return the encodings to try for a declared one that UTF-8 is not.

    Who declares Latin-1 mostly writes Windows-1252, which browsers read it as: where the
    one has control characters the other has quotes, dashes and the euro sign.
    """
    try:
        name = codecs.lookup(declared).name
    except (LookupError, ValueError):
        return ()
    if name == "iso8859-1":
        return "cp1252", name
    # Seven bits say nothing of the bytes that are there as well.
    return () if name in ("utf-8", "ascii") else (name,)


def _wide(data: bytes, sample: bytes) -> tuple[str, str | None]:
    """UTF-16 without its mark has a zero in every other byte of Western text."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    for name, many, few in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if many > 0.3 * len(sample) / 2 and few < 0.05 * len(sample) / 2:
            return _checked(data.decode(name, "replace")), f"encoding guessed: {name}"
    if even + odd <= 0.001 * len(sample):
        # A stray zero byte in a text file.
        text, notice = decode(data.replace(b"\0", b""))
        return text, notice or "zero bytes were left out"
    if found := _other_script(data, sample):
        return _checked(data.decode(found)), f"encoding guessed: {found}"
    raise ConversionError("binary data, not text")


def _other_script(data: bytes, sample: bytes) -> str | None:
    """Return which UTF-16 data is in whose letters are not Western and have few zeros; or None."""
    nonzero = len(sample) - sample.count(0)
    if len(_PLAIN.findall(sample)) > 0.9 * nonzero or _is_utf_8(data.replace(b"\0", b"")):
        # Any two bytes of these are a letter of some script.
        return None
    found = []
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        text = text[:_SAMPLE_BYTES]
        pages = Counter(ord(sign) >> 8 for sign in text)
        east = sum(count for page, count in pages.items() if page in _EAST_ASIA)
        alphabet = max(range(0x03, 0x20), key=lambda page: pages[page])
        # An alphabet's words are set apart by blanks.
        spaced = len(text) < 20 * len(text.split())
        letters = max(east, pages[alphabet] if spaced else 0)
        known = _BESIDE | (_EAST_ASIA if letters == east else {alphabet})
        if letters > 0.5 * len(text) and sum(pages[page] for page in known) > 0.97 * len(text):
            found.append((sum(sign.isascii() for sign in text), name))
    # Read the wrong way round, Greek is Korean: its blanks tell.
    return max(found)[1] if found else None


def _is_utf_8(data: bytes) -> bool:
    try:
        _checked(data.decode("utf-8"))
    except (UnicodeDecodeError, ConversionError):
        return False
    return True


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    western = sample.decode("cp1252", "replace")
    accented = re.findall(r"[^\x00-\x7f]", western)
    if accented:
        # Accents stand among ASCII letters, quotes and dashes beside them; other
        # alphabets read as Windows-1252 give whole words of accents.
        runs = sum(len(run) for run in re.findall(r"[^\W\d_a-zA-Z]{3,}|\ufffd", western))
        if runs <= 0.02 * len(accented):
            return "cp1252"
    best = from_bytes(sample).best()
    # A sample with accents in it is not ASCII, whatever its parts look like.
    return best.encoding if best is not None and best.encoding != "ascii" else "cp1252"


def _checked(text: str) -> str:
    """Refuse what decodes but is no text: many control or replacement characters."""
    sample = text[:_SAMPLE_BYTES]
    if len(_CONTROLS.findall(sample)) > 0.05 * len(sample):
        raise ConversionError("binary data, not text")
    return text
