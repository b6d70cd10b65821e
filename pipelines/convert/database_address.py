"""One address for one database, from wherever it is named."""

from pathlib import Path


def absolute(url: str) -> str:
    """Return a database's address, with the path to a SQLite file made absolute.

    :param url: SQLAlchemy address; one that is none comes back as it is.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith((":memory:", "file:")):
        return url
    return parsed.set(database=str(Path(name).resolve())).render_as_string(hide_password=False)
