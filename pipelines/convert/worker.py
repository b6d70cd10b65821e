"""Conversion in processes of their own, with limits on time and memory.

A damaged file can hang or exhaust the library that reads it. A worker is killed and
replaced when that happens, and only its file is lost. The two sides speak JSON lines
over pipes: starting workers that way does not import the caller's main module again,
as multiprocessing would, and no pickle is read.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock, local
from typing import TypeVar

from pipelines.convert import convert_file
from pipelines.convert.extracted import Block, Extracted
from pipelines.errors import ConversionError, PassingConversionError

_T = TypeVar("_T")


def _to_json(extracted: Extracted) -> dict[str, object]:
    blocks = [
        [
            b.kind,
            b.start,
            b.end,
            b.level,
            b.page,
            b.sheet,
            b.row,
            b.columns and dict(b.columns),
            b.turns,
        ]
        for b in extracted.blocks
    ]
    return {
        "text": extracted.text,
        "blocks": blocks,
        "title": extracted.title,
        "properties": dict(extracted.properties),
        "notices": extracted.notices,
    }


def _from_json(line: bytes) -> Extracted:
    answer = json.loads(line)
    if "error" in answer:
        raise (PassingConversionError if answer["passing"] else ConversionError)(answer["error"])
    return Extracted(
        text=answer["text"],
        blocks=tuple(
            replace(Block(*block), turns=tuple((start, page) for start, page in turns))
            for *block, turns in answer["blocks"]
        ),
        title=answer["title"],
        properties=answer["properties"],
        notices=tuple(answer["notices"]),
    )


class _Worker:
    """One conversion process, started when first needed."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._process: subprocess.Popen[bytes] | None = None

    def convert(self, path: Path, timeout_s: float) -> Extracted:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-m", __name__, str(self._memory_mb)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Ctrl-C is for the parent, which closes the pipe when it is done.
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        if process.stdin is None or process.stdout is None:
            raise PassingConversionError("the conversion process has no pipes")
        try:
            process.stdin.write(json.dumps(os.fspath(path.absolute())).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.close()
            raise PassingConversionError("the conversion process died before it began") from None
        ready, _, _ = select.select([process.stdout], [], [], timeout_s)
        if not ready:
            self.close()
            raise PassingConversionError(f"conversion took longer than {timeout_s:g} s")
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            self.close()
            raise PassingConversionError(
                "the conversion process died: damaged file, or out of memory"
            )
        return _from_json(line)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


class ConversionPool:
    """Converts files in worker processes, in order and ahead of their use.

    :param workers: Processes at most.
    :param timeout_s: Seconds a file may take.
    :param memory_mb: Address space in MiB that a process may use.
    """

    def __init__(self, *, workers: int = 1, timeout_s: float = 300, memory_mb: int = 2048) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._ahead = 4 * workers
        self._local = local()
        self._lock = Lock()
        self._workers: list[_Worker] = []
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="convert")

    def __enter__(self) -> "ConversionPool":
        """Return the pool."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the worker processes."""
        # First, or a thread whose process ends takes the next file in the queue.
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for worker in self._workers:
                worker.close()

    def _convert(self, path: Path) -> Extracted:
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = _Worker(self._memory_mb)
            with self._lock:
                self._workers.append(worker)
        return worker.convert(path, self._timeout_s)

    def convert(
        self, items: Iterable[_T], path_of: Callable[[_T], Path]
    ) -> Iterator[tuple[_T, Extracted | ConversionError]]:
        """Yield each item with what its file became, in the order given.

        :param items: Anything that stands for a file.
        :param path_of: Gives an item's file.
        """
        pending: list[tuple[_T, Future[Extracted]]] = []

        def result() -> tuple[_T, Extracted | ConversionError]:
            item, future = pending.pop(0)
            try:
                return item, future.result()
            except ConversionError as error:
                return item, error

        for item in items:
            pending.append((item, self._threads.submit(self._convert, path_of(item))))
            if len(pending) > self._ahead:
                yield result()
        while pending:
            yield result()


def _serve(memory_mb: int) -> None:
    """Answer one JSON line for each path read from standard input."""
    try:
        import resource

        limit = memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        # Not every system can limit a process's memory; the time limit still holds.
        pass
    answers = sys.stdout.buffer
    # A library that prints must not garble the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin.buffer:
        try:
            answer = _to_json(convert_file(Path(json.loads(line))))
        except ConversionError as error:
            answer = {
                "error": str(error),
                "passing": isinstance(error, PassingConversionError),
            }
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
