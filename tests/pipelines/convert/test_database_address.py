from pathlib import Path

import pytest

from pipelines.convert.database_address import absolute


@pytest.mark.parametrize("url", ["sqlite:///erp.db", "sqlite:///./old/../erp.db?mode=ro"])
def test_the_path_to_a_file_is_made_absolute(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute(url) == f"sqlite:///{tmp_path}/erp.db{url.partition('db')[2]}"
    assert absolute(absolute(url)) == absolute(url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:erp.db?uri=true",
        "postgresql://ann:s3%40cret@host:5432/erp?sslmode=require",
        "no address",
    ],
)
def test_any_other_address_stays(url: str) -> None:
    assert absolute(url) == url
