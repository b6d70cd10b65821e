"""E-mail: its heads as properties, its text, its attachments by their own converters."""

import re
import tempfile
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

from pipelines.convert import convert_file, format_of, html
from pipelines.convert.encoding import decode
from pipelines.convert.extracted import Extracted, ExtractedBuilder, clean
from pipelines.convert.html_hidden import Visibility
from pipelines.convert.text import add_text
from pipelines.errors import ConversionError

MAX_DEPTH = 3
MAX_ATTACHMENTS = 50
MAX_ATTACHED_BYTES = 64 << 20

_HEADS = ("From", "To", "Cc", "Date")
_QUOTE = re.compile(r"^((?:> ?)+)")


def convert(path: Path) -> Extracted:
    """Turn an e-mail file into text: subject, sender, receivers, date, body, attachments.

    Attachments whose format is known follow under a heading of their own; others are
    named in a notice. A message within a message is read down to three levels.

    :raises ConversionError: When it is no e-mail.
    """
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default).parse(file)
    if not any(message.get(name) for name in ("From", "To", "Subject", "Date", "Received")):
        raise ConversionError("not an e-mail: it has neither sender, receiver, subject nor date")
    builder = ExtractedBuilder()
    builder.title = _head(message, "Subject") or None
    _Mail(builder).add(message, depth=0)
    return builder.build()


def _head(message: EmailMessage, name: str) -> str:
    """Return a head's text with encoded words decoded; a broken one as it stands."""
    try:
        value = message.get(name)
        if name == "Date" and value is not None and value.datetime is not None:
            return str(value.datetime.isoformat(sep=" "))
        return clean(str(value)) if value is not None else ""
    except Exception:  # the email package's parsers of heads raise anything
        raw = next((text for key, text in message.raw_items() if key.lower() == name.lower()), "")
        return clean(str(raw))


class _Mail:
    """Adds one message with all it carries; keeps count over nested messages."""

    def __init__(self, builder: ExtractedBuilder) -> None:
        self._builder = builder
        self._attachments = 0
        self._bytes = 0

    def add(self, message: EmailMessage, depth: int) -> None:
        subject = _head(message, "Subject")
        if subject:
            self._builder.add("heading", subject, level=depth + 1)
        for name in _HEADS:
            if value := _head(message, name):
                if depth == 0:
                    self._builder.add_property(name.lower(), value)
                else:
                    self._builder.add("property", f"{name.lower()}: {value}")
        texts, attached = _parts(message)
        for text in texts:
            self._add_text(text)
        for part in attached:
            self._add_attachment(part, depth)

    def _add_text(self, alternatives: list[EmailMessage]) -> None:
        """Append a text that is there as plain text, as HTML or as both."""
        plain = ""
        rich = ExtractedBuilder()
        for part in alternatives:
            text = self._text(part)
            if part.get_content_subtype() == "plain":
                plain += f"\n\n{text}"
            elif text.strip():
                self._add_page(rich, text)
        page = rich.build()
        # Some programs put only "switch to HTML" into the plain part.
        if not plain.strip() or len(plain.split()) < 0.3 * len(page.text.split()):
            self._builder.add_extracted(page)
        else:
            add_text(self._builder, _unquoted(plain), titles=False)

    def _add_page(self, rich: ExtractedBuilder, text: str) -> None:
        try:
            page = html.parse(text, self._builder)
        except ConversionError as error:
            self._builder.notice(f"an HTML part was not read: {error}")
            return
        body = page.find("body")
        html.add_body(rich, page if body is None else body, Visibility(page))

    def _text(self, part: EmailMessage) -> str:
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            return ""
        try:
            charset = part.get_content_charset()
        except Exception:  # a charset encoded in ways the email package chokes on
            charset = None
        try:
            return decode(content, charset)[0]
        except ConversionError as error:
            self._builder.notice(f"a text part was not read: {error}")
            return ""

    def _add_attachment(self, part: EmailMessage, depth: int) -> None:
        builder = self._builder
        if part.get_content_type() == "message/rfc822":
            inner = next((one for one in part.iter_parts() if isinstance(one, EmailMessage)), None)
            if inner is not None and depth + 1 < MAX_DEPTH:
                name = _name(part) or _head(inner, "Subject") or "message"
                builder.add("heading", f"Attachment: {name}", level=depth + 1)
                self.add(inner, depth + 1)
            else:
                builder.notice("an attached message was not read: nested too deeply")
            return
        name = _name(part)
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if part.get_content_disposition() == "inline" and part.get_content_maintype() == "image":
            if name:
                builder.notice(f"image {name} was not read")
            return
        if not name and part.get_content_type() in ("text/plain", "text/html"):
            name = f"text.{'html' if part.get_content_subtype() == 'html' else 'txt'}"
        self._attachments += 1
        self._bytes += len(data)
        if self._attachments > MAX_ATTACHMENTS or self._bytes > MAX_ATTACHED_BYTES:
            builder.notice(
                f"attachment {name or 'without name'} was not read: too much is attached"
            )
            return
        try:
            self._add_file(name, data, depth)
        except ConversionError as error:
            label = name or f"without name ({part.get_content_type()})"
            builder.add("property", f"attachment: {label}")
            builder.notice(f"attachment {label} was not read: {error}")

    def _add_file(self, name: str, data: bytes, depth: int) -> None:
        """Convert an attachment from a temporary file of ours; its own name is only shown."""
        suffix = PurePosixPath(name).suffix.lower()
        if format_of(Path(f"attachment{suffix}")) == "eml":
            message = BytesParser(policy=policy.default).parsebytes(data)
            if depth + 1 >= MAX_DEPTH:
                raise ConversionError("nested too deeply")
            self._builder.add("heading", f"Attachment: {name}", level=depth + 1)
            self.add(message, depth + 1)
            return
        with tempfile.TemporaryDirectory(prefix="phi-expert-") as folder:
            path = Path(folder) / f"attachment{suffix}"
            path.write_bytes(data)
            extracted = convert_file(path)
        self._builder.add("heading", f"Attachment: {name}", level=depth + 1)
        self._builder.add_extracted(extracted, deeper=depth + 1)
        for notice in extracted.notices:
            self._builder.notice(f"attachment {name}: {notice}")


def _parts(message: EmailMessage) -> tuple[list[list[EmailMessage]], list[EmailMessage]]:
    """Return a message's texts, each in all its alternative parts, and what is attached."""
    kind = message.get_content_type()
    if kind == "message/rfc822" or not message.is_multipart():
        is_text = kind in ("text/plain", "text/html") and not message.is_attachment()
        return ([[message]], []) if is_text else ([], [message])
    texts: list[list[EmailMessage]] = []
    attached: list[EmailMessage] = []
    alternative = kind == "multipart/alternative"
    for part in message.iter_parts():
        if not isinstance(part, EmailMessage):
            continue
        inner, files = _parts(part)
        if not alternative and texts:
            # A name makes a file of a text that is not the first.
            named = [text[0] for text in inner if len(text) == 1 and _name(text[0])]
            inner = [text for text in inner if text[0] not in named]
            files = named + files
        elif alternative and part.get_content_maintype() == "text":
            # The same text once more, in a form that nobody reads.
            files = []
        texts += inner
        attached += files
    if alternative and texts:
        texts = [[part for text in texts for part in text]]
    return texts, attached


def _name(part: EmailMessage) -> str:
    try:
        return clean(part.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    except Exception:  # a name encoded in ways the email package chokes on
        return ""


def _unquoted(text: str) -> str:
    """Take the marks of quotation away, keeping what is quoted apart from the reply."""
    lines = []
    before = 0
    for line in text.replace("\r\n", "\n").split("\n"):
        found = _QUOTE.match(line)
        depth = found[1].count(">") if found else 0
        if depth != before:
            lines.append("")
        lines.append(line[found.end() :] if found else line)
        before = depth
    return "\n".join(lines)
