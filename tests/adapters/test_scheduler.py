"""The scheduler: requests from many threads, in mixed batches, none in another's way."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters import host as host_module
from adapters import scheduler as scheduler_module
from adapters.base import LanguageModel, load_model
from adapters.batch import Batch, Generation, Request
from adapters.errors import (
    AdapterError,
    AdaptersError,
    DeadlineError,
    GenerationError,
    OverloadedError,
)
from adapters.host import AdapterHost
from adapters.sampling import Sampling
from adapters.scheduler import Scheduler
from adapters.tickets import Job, Ticket

from .small_adapters import write_adapter

Small = Callable[[str], tuple[Any, Path]]
# The last token of the small models' vocabulary stands for a request that breaks a layer.
POISON = 258


class Faulty:
    """A projection that fails at poisoned requests, and now and then at any."""

    def __init__(self, projection: Any, drawn: random.Random) -> None:
        self.projection, self.drawn = projection, drawn

    def __call__(self, states: torch.Tensor, step: Any) -> torch.Tensor:
        if (step.tokens == POISON).any() or self.drawn.random() < 0.01:
            raise RuntimeError("a layer failed")
        return self.projection(states, step)


def loaded(small_model: Small) -> LanguageModel:
    return load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def model(small_model: Small) -> LanguageModel:
    return loaded(small_model)


@pytest.fixture(scope="module")
def folders(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    architecture = model.decoder.architecture
    found = {name: write_adapter(root / name, architecture, i) for i, name in enumerate("abc")}
    found["wild"] = write_adapter(root / "wild", architecture, 9, scale=1e30)
    found["broken"] = write_adapter(root / "broken", architecture, 9)
    (found["broken"] / "adapter_model.safetensors").write_bytes(b"no tensors")
    return found


@pytest.fixture
def host(model: LanguageModel, folders: dict[str, Path]) -> Iterator[AdapterHost]:
    def find(ref: str) -> tuple[str, Path]:
        if ref not in folders:
            raise AdapterError(f"there is no adapter {ref}")
        return f"{ref}@1", folders[ref]

    with AdapterHost(model, find) as host:
        yield host


def job(seed: int, new: int = 12, adapter: str | None = None, **more: Any) -> Job:
    drawn = random.Random(seed)
    prompt = [drawn.randrange(3, 250) for _ in range(3 + 5 * (seed % 5))]
    deadline = more.pop("deadline_s", None)
    return Job(Request(prompt, max_new_tokens=new, **more), adapter, deadline)


def endless() -> Job:
    """Return a request that takes a second, until the model's context ends."""
    sampling = Sampling(1.5, seed=1)
    return Job(Request([5, 6], 10_000, sampling=sampling, on_text=lambda _: time.sleep(0.01)))


def alone(model: LanguageModel, host: AdapterHost, asked: Job) -> Generation:
    """Return what a request comes to by itself."""
    batch = Batch(model.decoder, model.markup.tokenizer, end_tokens=model.end_tokens, most_rows=1)
    request = asked.request
    given = {
        "prompt": request.prompt,
        "max_new_tokens": request.max_new_tokens,
        "sampling": request.sampling,
        "stop": request.stop,
    }
    if asked.adapter is None:
        row = batch.submit(Request(**given))
    else:
        with host.acquire(asked.adapter, timeout=10) as adapter:
            row = batch.submit(Request(**given, adapter=adapter))
    while not batch.is_idle:
        batch.step()
    assert row.generation is not None
    return row.generation


class Gate:
    """Holds the model at a request's first text until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, piece: str) -> None:
        self.reached.set()
        assert self.opened.wait(30)

    def hold(self, scheduler: Scheduler, new: int = 2) -> Ticket:
        ticket = scheduler.submit(job(0, new, on_text=self))
        assert self.reached.wait(30)
        return ticket


def test_requests_of_many_threads_and_adapters_equal_single_ones(
    model: LanguageModel, host: AdapterHost
) -> None:
    jobs = [
        job(i, 5 + i % 9, [None, "a", "b", "c"][i % 4], sampling=Sampling(i % 2 * 0.8, seed=i))
        for i in range(24)
    ]
    with Scheduler(model, host, most_rows=6) as scheduler:
        gate = Gate()
        held = gate.hold(scheduler)
        with ThreadPoolExecutor(8) as threads:
            tickets = list(threads.map(scheduler.submit, jobs))
        gate.opened.set()
        found = [ticket.result(60) for ticket in tickets]
        held.result(60)
        stats = scheduler.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.rows / stats.steps > 4
    for asked, ticket, generation in zip(jobs, tickets, found, strict=True):
        single = alone(model, host, asked)
        assert generation.tokens == single.tokens
        assert ticket.text == generation.text == single.text
        assert ticket.adapter == (None if asked.adapter is None else f"{asked.adapter}@1")
    adapted = {alone(model, host, job(3, 8, name)).tokens for name in (None, "a", "b", "c")}
    assert len(adapted) == 4
    assert host.stats().pinned == 0


def test_the_lab_model_writes_with_and_without_an_adapter_in_one_batch(
    lab: Path, tmp_path: Path
) -> None:
    model = load_model(str(lab), precision="fp32", device="cpu")
    folder = write_adapter(tmp_path, model.decoder.architecture, 1, scale=0.3)
    sources = "[1] Berlin is the largest city of Germany and its capital."
    asked = f"{sources}\n\nQuestion: What is the capital of Germany?"
    prompt = model.markup.render([{"role": "user", "content": asked}])
    with AdapterHost(model, lambda ref: (ref, folder)) as host, Scheduler(model, host) as scheduler:
        jobs = [Job(Request(prompt, 12), adapter) for adapter in (None, "x", None)]
        found = [ticket.result(60) for ticket in [scheduler.submit(one) for one in jobs]]
        assert "Berlin" in found[0].text
        assert found[0].tokens == found[2].tokens != found[1].tokens
        assert found[1].tokens == alone(model, host, jobs[1]).tokens


def test_an_adapter_is_loaded_while_others_are_written(
    model: LanguageModel, host: AdapterHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, may_load = host_module.load_adapter, threading.Event()

    def slowly(*args: Any, **options: Any) -> Any:
        assert may_load.wait(30)
        return load(*args, **options)

    monkeypatch.setattr(host_module, "load_adapter", slowly)
    with Scheduler(model, host, most_rows=1) as scheduler:
        waiting = scheduler.submit(job(1, adapter="a"))
        given_up = scheduler.submit(job(2, adapter="b"))
        too_late = scheduler.submit(job(2, adapter="c", deadline_s=0.02))
        assert scheduler.submit(job(3)).result(30).reason != "cancelled"
        with pytest.raises(DeadlineError):
            too_late.result(30)
        given_up.cancel()
        assert given_up.result(30).reason == "cancelled"
        assert not waiting.done
        may_load.set()
        assert waiting.result(30).tokens == alone(model, host, job(1, adapter="a")).tokens


def test_requests_that_fail_fail_alone(
    small_model: Small, model: LanguageModel, host: AdapterHost
) -> None:
    faulty = loaded(small_model)
    faulty.decoder.layers[1].down = Faulty(faulty.decoder.layers[1].down, random.Random(0))

    def fail(piece: str) -> None:
        raise ValueError(piece)

    poisoned = Job(Request([5, POISON, 7]))
    with Scheduler(faulty, host) as scheduler:
        for bad, part in [(Job(Request([])), "empty"), (job(1, deadline_s=0.0), "deadline_s")]:
            with pytest.raises(GenerationError, match=part):
                scheduler.submit(bad)
        with pytest.raises(AdapterError, match="no adapter nobody"):
            scheduler.submit(job(1, adapter="nobody"))
        good = scheduler.submit(job(4, 30))
        tickets = [
            scheduler.submit(bad)
            for bad in (
                poisoned,
                job(1, adapter="wild"),
                job(1, adapter="broken"),
                job(1, on_text=fail),
            )
        ]
        kinds = [GenerationError, GenerationError, AdapterError, ValueError]
        for ticket, kind in zip(tickets, kinds, strict=True):
            with pytest.raises(kind) as caught:
                ticket.result(30)
            assert "\n" not in str(caught.value)
        assert good.result(30).tokens == alone(model, host, job(4, 30)).tokens
    assert host.stats().pinned == 0
    with Scheduler(model) as scheduler, pytest.raises(AdapterError, match="no host"):
        scheduler.submit(job(1, adapter="a"))


def test_an_error_of_a_whole_step_ends_its_requests_and_not_the_scheduler(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    with Scheduler(model, most_rows=2) as scheduler:
        held, beside = gate.hold(scheduler, 20), scheduler.submit(job(1, 20))
        later = scheduler.submit(job(2, 40))
        with monkeypatch.context() as patch:

            def fail(self: Batch) -> None:
                patch.undo()
                raise SystemExit("out of order")

            patch.setattr(Batch, "_plan", fail)
            gate.opened.set()
            for ticket in (held, beside):
                with pytest.raises(GenerationError, match=r"the model failed .*out of order"):
                    ticket.result(30)
        assert later.result(30).reason != "cancelled"
        assert scheduler.submit(job(1, 4)).result(30).reason != "cancelled"


def test_text_streams_and_a_slow_reader_holds_up_nobody(model: LanguageModel) -> None:
    with Scheduler(model) as scheduler:
        whole = scheduler.submit(job(1, 30)).result(30).text
        stop = whole[6:9]
        slow = scheduler.submit(job(1, 30, stop=(stop,)))
        reader = iter(slow)
        pieces = [next(reader)]
        # Nobody reads on; others are written and it is, too.
        assert scheduler.submit(job(2, 60)).result(30).tokens
        assert slow.result(30).text == whole[: whole.index(stop)]
        pieces += list(reader)
        assert "".join(pieces) == "".join(slow) == slow.text == slow.result().text
        assert len(pieces) > 2


def test_a_request_is_cancelled_in_the_queue_and_while_it_is_written(model: LanguageModel) -> None:
    with Scheduler(model, most_rows=1) as scheduler:
        running = scheduler.submit(endless())
        next(iter(running))
        waiting, last = scheduler.submit(job(1)), scheduler.submit(job(2, 3))
        waiting.cancel()
        assert waiting.result(30).tokens == ()
        running.cancel()
        found = running.result(30)
        assert found.reason == "cancelled"
        assert 0 < len(found.tokens) < 126
        assert found.text == running.text
        assert last.result(30).reason != "cancelled"
        running.cancel()


def test_deadlines_end_requests_in_the_queue_and_while_they_are_written(
    model: LanguageModel,
) -> None:
    gate = Gate()
    with Scheduler(model, most_rows=2) as scheduler:
        written = scheduler.submit(job(1, 100, deadline_s=1.0, on_text=lambda _: time.sleep(0.05)))
        held = gate.hold(scheduler, 100)
        waiting = scheduler.submit(job(2, 100, deadline_s=0.001))
        gate.opened.set()
        for ticket, seconds in ((written, "1"), (waiting, "0.001")):
            with pytest.raises(DeadlineError, match=f"not complete after {seconds} s"):
                ticket.result(30)
        assert written.text
        with pytest.raises(DeadlineError):
            list(written)
        assert held.result(30).reason != "cancelled"


def test_beyond_the_queue_requests_are_refused_with_a_line(model: LanguageModel) -> None:
    gate = Gate()
    with Scheduler(model, most_rows=1, most_waiting=2) as scheduler:
        held = gate.hold(scheduler)
        waiting = [scheduler.submit(job(i, 2)) for i in range(2)]
        with pytest.raises(OverloadedError, match=r"^2 requests wait already: try again later$"):
            scheduler.submit(job(3))
        gate.opened.set()
        for ticket in (held, *waiting):
            ticket.result(30)
        scheduler.submit(job(3, 2)).result(30)


def test_short_requests_go_first_and_long_ones_are_not_kept_out(model: LanguageModel) -> None:
    gate, order = Gate(), []

    def noted(name: str) -> Callable[[str], None]:
        return lambda _: order.append(name)

    with Scheduler(model, most_rows=1) as scheduler:
        held = gate.hold(scheduler)
        tickets = [scheduler.submit(job(4, 40, on_text=noted("long")))]
        tickets += [scheduler.submit(job(0, 1, on_text=noted(f"short {i}"))) for i in range(40)]
        gate.opened.set()
        for ticket in (held, *tickets):
            ticket.result(30)
    first = list(dict.fromkeys(order))
    assert first.index("long") == 16
    assert [name for name in first if name != "long"] == [f"short {i}" for i in range(40)]


def test_requests_together_keep_within_their_tokens(model: LanguageModel) -> None:
    most, gate = 0, Gate()

    def count(_: str) -> None:
        nonlocal most
        most = max(most, scheduler.stats().running)

    with Scheduler(model, most_rows=8, most_tokens=60) as scheduler:
        held = gate.hold(scheduler)
        # 23 tokens of prompt and 5 more: two at a time.
        tickets = [scheduler.submit(job(4, 5, on_text=count)) for _ in range(6)]
        large = scheduler.submit(job(4, 90))
        gate.opened.set()
        for ticket in (held, *tickets):
            ticket.result(30)
        assert most == 2
        assert large.result(30).reason != "cancelled"


def test_closing_ends_what_was_taken_or_cancels_it(model: LanguageModel) -> None:
    with Scheduler(model, most_rows=1) as scheduler:
        tickets = [scheduler.submit(job(i, 4)) for i in range(4)]
    assert all(ticket.result(0).reason != "cancelled" for ticket in tickets)
    with pytest.raises(GenerationError, match="closed"):
        scheduler.submit(job(1))
    scheduler.close()
    scheduler = Scheduler(model, most_rows=1)
    running, waiting = scheduler.submit(endless()), scheduler.submit(endless())
    next(iter(running))
    scheduler.close(cancel=True)
    assert running.result(0).reason == waiting.result(0).reason == "cancelled"


def test_an_idle_scheduler_keeps_no_thread(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "_LINGER_S", 0.01)
    scheduler = Scheduler(model)
    for seed in range(3):
        scheduler.submit(job(seed, 2)).result(30)
        thread = scheduler._thread
        if thread is not None:
            thread.join(30)
        assert scheduler._thread is None


def test_interrupting_who_waits_leaves_the_scheduler_sound(model: LanguageModel) -> None:
    gate = Gate()
    with Scheduler(model) as scheduler:
        held = gate.hold(scheduler)
        main = threading.main_thread().ident
        assert main is not None
        timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            held.result(30)
        with pytest.raises(TimeoutError):
            held.result(0.01)
        gate.opened.set()
        assert held.result(30).reason != "cancelled"


def test_python_ends_while_a_request_is_written(small_model: Small) -> None:
    code = """
import sys
from adapters.base import load_model
from adapters.batch import Request
from adapters.scheduler import Scheduler
from adapters.tickets import Job
model = load_model(sys.argv[1], precision="fp32", device="cpu")
tickets = [Scheduler(model).submit(Job(Request([5 + i], max_new_tokens=120))) for i in range(9)]
next(iter(tickets[0]))
print("the end")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(small_model("shared keys")[1])],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "the end", "")


async def test_tickets_are_awaited_and_iterated_in_asyncio(model: LanguageModel) -> None:
    with Scheduler(model) as scheduler:
        tickets = [scheduler.submit(job(i, 20)) for i in range(3)]
        texts = ["".join([piece async for piece in ticket]) for ticket in tickets]
        assert texts == [(await ticket).text for ticket in tickets]
        failing = scheduler.submit(Job(endless().request, deadline_s=0.01))
        with pytest.raises(DeadlineError):
            _ = [piece async for piece in failing]
        gate = Gate()
        left = scheduler.submit(job(0, 100, on_text=gate))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(left, 0.05)
        gate.opened.set()
        # Who no longer awaits it no longer wants it.
        assert left.result(30).reason == "cancelled"


def test_a_storm_of_requests_cancels_deadlines_and_faults(
    small_model: Small, model: LanguageModel, host: AdapterHost
) -> None:
    faulty = loaded(small_model)
    faulty.decoder.layers[1].down = Faulty(faulty.decoder.layers[1].down, random.Random(1))
    jobs = []
    for i in range(200):
        drawn = random.Random(i)
        asked = job(i, 4 + i % 13, drawn.choice([None, "a", "b", "c"]))
        if drawn.random() < 0.1:
            asked = Job(Request([*asked.request.prompt, POISON, 9]), asked.adapter)
        elif drawn.random() < 0.1:
            asked = Job(asked.request, drawn.choice(["wild", "broken"]))
        elif drawn.random() < 0.1:
            asked = Job(asked.request, asked.adapter, deadline_s=drawn.random() / 5)
        jobs.append(asked)

    def run(number: int) -> list[tuple[Job, Ticket]]:
        drawn, asked = random.Random(number), []
        for one in jobs[number::8]:
            ticket = scheduler.submit(one)
            asked.append((one, ticket))
            if drawn.random() < 0.1:
                next(iter(ticket), None) if one.adapter is None and drawn.random() < 0.3 else None
                ticket.cancel()
        return asked

    ended = {"whole": 0, "cancelled": 0, "failed": 0}
    with Scheduler(faulty, host, most_rows=8) as scheduler:
        with ThreadPoolExecutor(8) as threads:
            tickets = [pair for pairs in threads.map(run, range(8)) for pair in pairs]
        for asked, ticket in tickets:
            try:
                found = ticket.result(60)
            except AdaptersError:
                ended["failed"] += 1
                continue
            assert POISON not in asked.request.prompt or found.reason == "cancelled"
            single = alone(model, host, asked)
            if found.reason == "cancelled":
                ended["cancelled"] += 1
                assert found.tokens == single.tokens[: len(found.tokens)]
            else:
                ended["whole"] += 1
                assert found.tokens == single.tokens
                assert ticket.adapter == (None if asked.adapter is None else f"{asked.adapter}@1")
    assert ended["whole"] > 100
    assert ended["failed"] > 20
    assert ended["cancelled"] > 5
    assert host.stats().pinned == 0
