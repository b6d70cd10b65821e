"""Terms of a text exactly as SQLite's full-text index sees them.

A server without Porter stemming gives the same BM25 answers as the embedded store when
both index the same terms. SQLite's own tokenizer makes them here (lower-cased,
diacritics folded, stemmed), since other implementations of Porter's algorithm differ
from it in the details.
"""

import sqlite3
import threading
from collections.abc import Sequence

TOKENIZER = "porter unicode61 remove_diacritics 2"


class Fts5Terms:
    """Splits texts into index terms; safe to share between threads.

    :param tokenizer: An FTS5 ``tokenize`` argument; the embedded store's by default.
    """

    def __init__(self, tokenizer: str = TOKENIZER) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        # Contentless: only the index is wanted, and it is emptied after each call.
        self._db.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5(text, content='', tokenize='{tokenizer}')"
        )
        self._db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, 'instance')")

    def of_passages(self, texts: Sequence[str]) -> list[str]:
        """Return each text's terms, separated by blanks, a repeated one repeated.

        Their order is not the text's: BM25 counts terms and lengths only.
        """
        rows = self._terms(texts, "SELECT doc, group_concat(term, ' ') FROM terms GROUP BY doc")
        found = dict(rows)
        return [found.get(number, "") for number in range(len(texts))]

    def of_question(self, text: str) -> list[str]:
        """Return the distinct terms of a question."""
        readable = text.encode("utf-8", "replace").decode()
        return [term for _, term in self._terms([readable], "SELECT DISTINCT 0, term FROM terms")]

    def _terms(self, texts: Sequence[str], query: str) -> list[tuple[int, str]]:
        with self._lock:
            self._db.execute("BEGIN")
            try:
                self._db.executemany(
                    "INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(texts)
                )
                return self._db.execute(query).fetchall()
            finally:
                self._db.execute("ROLLBACK")
