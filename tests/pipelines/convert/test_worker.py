import os
import signal
import time
from pathlib import Path

import pytest

from pipelines.convert.worker import ConversionPool
from pipelines.errors import ConversionError


def outcomes(pool: ConversionPool, paths: list[Path]) -> list[str]:
    return [
        str(result) if isinstance(result, ConversionError) else result.text
        for _, result in pool.convert(paths, lambda path: path)
    ]


def test_files_come_back_in_order_and_one_failure_costs_one_file(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.pdf", "c.txt", "d.txt")]
    for path in paths:
        path.write_text(f"text of {path.name}")
    paths[3].unlink()
    with ConversionPool() as pool:
        first, damaged, third, gone = outcomes(pool, paths)
    assert (first, third) == ("text of a.txt", "text of c.txt")
    assert damaged
    assert "%PDF" not in damaged
    assert gone == "vanished while it was being read"


def test_a_file_that_hangs_is_given_up_and_the_next_one_is_read(tmp_path: Path) -> None:
    hanging, good = tmp_path / "hanging.txt", tmp_path / "good.txt"
    os.mkfifo(hanging)  # a reader waits until somebody writes
    good.write_text("good")
    with ConversionPool(timeout_s=6) as pool:
        assert outcomes(pool, [hanging, good]) == ["conversion took longer than 6 s", "good"]


def test_a_worker_that_dies_costs_one_file(tmp_path: Path) -> None:
    hanging, good = tmp_path / "hanging.txt", tmp_path / "good.txt"
    os.mkfifo(hanging)
    good.write_text("good")
    with ConversionPool(timeout_s=60) as pool:
        results = pool.convert([good, hanging, good], lambda path: path)
        assert next(results)[1].text == "good"
        time.sleep(0.5)
        (worker,) = pool._workers
        os.kill(worker._process.pid, signal.SIGKILL)
        assert "process died" in str(next(results)[1])
        assert next(results)[1].text == "good"


def test_leaving_in_the_middle_waits_for_no_file(tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("good")
    hanging = [tmp_path / f"{number}.txt" for number in range(4)]
    for path in hanging:
        os.mkfifo(path)
    with ConversionPool(timeout_s=5) as pool:
        next(pool.convert([good, *hanging], lambda path: path))
        time.sleep(0.5)
        left = time.monotonic()
    pool._threads.shutdown()
    assert time.monotonic() - left < 4


def test_a_module_in_the_current_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("open('was_run', 'w').close()\nraise SystemExit")
    (tmp_path / "good.txt").write_text("good")
    monkeypatch.chdir(tmp_path)
    with ConversionPool() as pool:
        assert outcomes(pool, [Path("good.txt")]) == ["good"]
    assert not (tmp_path / "was_run").exists()
