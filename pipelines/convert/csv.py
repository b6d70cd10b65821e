"""CSV and TSV files: each row a passage with its typed columns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.convert.column_types import ColumnType, TypeProbe
from pipelines.convert.csv_records import Dialect, Record, normal_lines, records, sniff
from pipelines.convert.data_table import (
    SAMPLE_ROWS,
    Column,
    add_preamble,
    add_row,
    add_unused,
    columns_of,
    find_layout,
    in_lines,
)
from pipelines.convert.encoding import decode
from pipelines.convert.extracted import Extracted, ExtractedBuilder
from pipelines.convert.row_shifts import mend_shifts
from pipelines.errors import ConversionError


def convert(path: Path) -> Extracted:
    """Read a file of separated values; every row is a block with its typed columns.

    Encoding, separator, quoting style and header are found out. What is irregular is kept
    and said in a notice: rows with stray quotes, with more or fewer fields than the
    header, rows that slipped a column.

    :param path: The file.
    :raises ConversionError: When it is no text or holds nothing.
    """
    text, guessed = decode(path.read_bytes())
    text = normal_lines(text)
    if not text.strip():
        raise ConversionError("the file is empty")
    builder = ExtractedBuilder()
    if guessed:
        builder.notice(guessed)
    dialect = sniff(text, prefer="\t" if path.suffix.lower() == ".tsv" else ",")
    _Table(text, dialect, builder).write()
    return builder.build()


class _Table:
    """One file's table; read in several passes, so that its rows need not be held."""

    def __init__(self, text: str, dialect: Dialect, builder: ExtractedBuilder) -> None:
        self._text = text
        self._dialect = dialect
        self._builder = builder
        self._decimal_comma = dialect.delimiter == ";"
        sample: list[Record] = []
        for _, record in self._all():
            sample.append(record)
            if len(sample) > SAMPLE_ROWS:
                break
        rows = [record.fields for record in sample]
        layout = find_layout(rows, decimal_comma=self._decimal_comma)
        self._preamble = rows[: layout.first]
        self._header = rows[layout.first] if layout.has_header and rows else []
        self._skipped = layout.first + bool(self._header)
        self._width = max(len(self._header), dialect.width)
        # Line → fields, of the rows put back into line.
        self._in_line: dict[int, list[str]] = {}

    def write(self) -> None:
        if self._dialect.delimiter:
            self._in_line = mend_shifts(
                self._header,
                lambda: ((record.line, record.fields) for _, record in self._rows()),
                width=self._width,
                delimiter=self._dialect.delimiter,
            )
        types, width = self._types()
        columns = columns_of(self._header, width)
        add_preamble(self._builder, self._preamble)
        self._write_unused(columns, types)
        stray, long, short, repeated = [], [], [], []
        for number, record in self._rows():
            fields = record.fields
            if fields == self._header:
                repeated.append(record.line)
                continue
            stray += [record.line] * record.mended
            long += [record.line] * (len(fields) > self._width)
            short += [record.line] * (len(fields) < self._width)
            self._write_row(columns, types, fields, number)
        self._report(stray, long, short, repeated)

    def _write_unused(self, columns: Sequence[Column], types: Sequence[ColumnType]) -> None:
        """Keep the names of columns that have no value in any row."""
        kinds = [kind.kind for kind in types] + ["empty"] * len(columns)
        unused = [c.label for c, kind in zip(columns, kinds, strict=False) if kind == "empty"]
        add_unused(self._builder, unused)

    def _write_row(
        self,
        columns: Sequence[Column],
        types: Sequence[ColumnType],
        fields: Sequence[str],
        number: int,
    ) -> None:
        values = [kind.parse(value) for kind, value in zip(types, fields, strict=False)]
        add_row(self._builder, columns, fields, values, row=number)

    def _report(
        self, stray: list[int], long: list[int], short: list[int], repeated: list[int]
    ) -> None:
        notice = self._builder.notice
        if stray:
            notice(f"stray quotes were read as they stand: {in_lines(stray)}")
        if self._in_line:
            notice(
                "values that a separator had pushed into the next column were put back: "
                + in_lines(sorted(self._in_line))
            )
        if long:
            notice(f"more fields than columns, kept in further columns: {in_lines(long)}")
        if short:
            notice(f"fewer fields than columns: {in_lines(short)}")
        if repeated:
            notice(f"the header stands again and was left out: {in_lines(repeated)}")

    def _all(self) -> Iterator[tuple[int, Record]]:
        """Yield the records that are not empty with their numbers."""
        for number, record in enumerate(records(self._text, self._dialect), start=1):
            if any(field and not field.isspace() for field in record.fields):
                yield number, record

    def _rows(self) -> Iterator[tuple[int, Record]]:
        """Yield the rows below the header, in line."""
        for index, (number, record) in enumerate(self._all()):
            if index < self._skipped:
                continue
            mended = self._in_line.get(record.line)
            yield number, replace(record, fields=mended) if mended else record

    def _types(self) -> tuple[list[ColumnType], int]:
        """Infer the type of each column; returns them and how many columns there are."""
        probes: list[TypeProbe] = []
        for _, record in self._rows():
            if record.fields == self._header:
                continue
            while len(probes) < len(record.fields):
                probes.append(TypeProbe(decimal_comma=self._decimal_comma))
            for probe, value in zip(probes, record.fields, strict=False):
                probe.see(value)
        return [probe.column_type() for probe in probes], max(len(probes), len(self._header))
