"""What a database's values are as text and as typed columns."""

import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from pipelines.convert.extracted import Scalar
from pipelines.convert.json_records import shown

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

_EXACT_INTEGERS = 1 << 53

Kind = Literal["bool", "number", "date", "text"]


class ColumnReader:
    """Reads the values of one column and keeps them of one type.

    :param name: The column's name.
    :param kind: What the database declares it to be; None where it declares nothing, as
        for a query: then the values decide.
    """

    def __init__(self, name: str, kind: Kind | None = None) -> None:
        self.name = name
        self.binary = 0
        self._kind = kind
        self._declared = kind is not None
        self._kinds: set[type] = set()

    @classmethod
    def of_type(cls, name: str, declared: "TypeEngine[Any]") -> "ColumnReader":
        """Make the reader of a column with a declared SQL type."""
        from sqlalchemy import types

        kinds: list[tuple[type[TypeEngine[Any]], Kind]] = [
            (types.Boolean, "bool"),
            (types.Numeric, "number"),
            (types.Integer, "number"),
            (types.Float, "number"),
            (types.DateTime, "date"),
            (types.Date, "date"),
            (types.String, "text"),
        ]
        kind = next((kind for known, kind in kinds if isinstance(declared, known)), None)
        return cls(name, kind)

    @property
    def is_empty(self) -> bool:
        """Whether no value was read."""
        return not self._kinds and not self.binary

    def read(self, value: Any) -> Scalar | None:
        """Turn a driver's value into a plain one; binary data is counted and left out."""
        if isinstance(value, bytes | bytearray | memoryview):
            self.binary += 1
            return None
        plain = self._plain(value)
        if plain is not None:
            self._kinds.add(type(plain))
        return plain

    def _plain(self, value: Any) -> Scalar | None:
        if self._kind == "bool" and value in (0, 1):
            return bool(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Decimal):
            if not value.is_finite():
                return None
            whole = value == value.to_integral_value() and int(value.as_tuple().exponent) >= 0
            value = int(value) if whole else float(value)
        if isinstance(value, int):
            return value if abs(value) <= _EXACT_INTEGERS else str(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, str):
            return self._date(value) if self._kind == "date" else value
        return shown(value) if isinstance(value, list | dict) else str(value)

    def _date(self, value: str) -> str:
        """SQLite keeps dates as text, with a blank and six decimals."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment.isoformat() if len(value) > 10 else moment.date().isoformat()

    def shown(self, value: Scalar | None) -> str:
        """Write a value that was read, for the text of its row."""
        return shown(value)

    def typed(self, value: Scalar | None) -> Scalar | None:
        """Return a value that was read, of the column's one type.

        Text in a column declared as numbers, which SQLite allows, has none.
        """
        if value is None or value == "":
            return None
        numeric = {int, float}
        if self._kind == "number" or (not self._declared and self._kinds <= numeric):
            if isinstance(value, str):
                return None
            return float(value) if float in self._kinds else value
        if self._kind == "bool" or (not self._declared and self._kinds == {bool}):
            return value if isinstance(value, bool) else None
        return shown(value)
