"""The host: adapters come and go by need, never under whoever uses one."""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.base import LanguageModel, load_model
from adapters.errors import AdapterError
from adapters.host import AdapterHost
from adapters.lora_files import CONFIG, WEIGHTS

from .small_adapters import write_adapter

Small = Callable[[str], tuple[Any, Path]]


@pytest.fixture(scope="module")
def model(small_model: Small) -> LanguageModel:
    return load_model(str(small_model("shared keys")[1]), precision="fp32", device="cpu")


class Shelf:
    """Adapters on disk: a folder of each version by name."""

    def __init__(self, root: Path, model: LanguageModel) -> None:
        self.root, self.model = root, model
        self.versions: dict[str, list[Path]] = {}

    def publish(self, name: str, seed: int, rank: int = 2) -> None:
        versions = self.versions.setdefault(name, [])
        folder = self.root / name / str(len(versions) + 1)
        versions.append(write_adapter(folder, self.model.decoder.architecture, seed, rank))

    def find(self, ref: str) -> tuple[str, Path]:
        name, _, version = ref.partition("@")
        if name not in self.versions:
            raise AdapterError(f"there is no adapter {name}")
        number = int(version or len(self.versions[name]))
        return f"{name}@{number}", self.versions[name][number - 1]

    def host(self, adapters: float) -> AdapterHost:
        """Return a host with room for some adapters of rank 2."""
        with AdapterHost(self.model, self.find) as host, host.acquire("a") as adapter:
            return AdapterHost(self.model, self.find, most_bytes=int(adapters * adapter.nbytes))


@pytest.fixture
def shelf(tmp_path: Path, model: LanguageModel) -> Shelf:
    shelf = Shelf(tmp_path, model)
    for seed, name in enumerate("abcd"):
        shelf.publish(name, seed)
    return shelf


def test_requests_for_one_adapter_share_a_load_and_later_ones_find_it(shelf: Shelf) -> None:
    with shelf.host(3) as host:
        asked = [host.request("a") for _ in range(4)]
        leases = [one.result(10) for one in asked]
        assert len({id(lease.adapter) for lease in leases}) == 1
        assert leases[0].name == leases[0].adapter.name == "a@1"
        before = host.stats()
        assert (before.resident, before.pinned, before.nbytes) == (1, 1, leases[0].adapter.nbytes)
        with host.acquire("a@1") as adapter:
            assert adapter is leases[0].adapter
        for lease in leases:
            lease.release()
            lease.release()
        after = host.stats()
        assert (after.pinned, after.hits - before.hits, after.misses) == (0, 1, before.misses)
        assert after.hit_rate == after.hits / 5
        assert 0 < after.load_ms_median <= after.load_ms_most


def test_the_adapter_used_longest_ago_makes_room(shelf: Shelf) -> None:
    with shelf.host(3) as host:
        for name in "abcad":
            host.acquire(name).release()
        assert (host.stats().resident, host.stats().evictions) == (3, 1)
        misses = host.stats().misses
        for name in "acd":
            host.acquire(name).release()
        assert host.stats().misses == misses
        host.acquire("b").release()
        assert host.stats().misses == misses + 1


def test_what_is_in_use_stays_and_others_wait_for_it(shelf: Shelf) -> None:
    with shelf.host(2) as host:
        first, second = host.acquire("a"), host.acquire("b")
        with pytest.raises(AdapterError, match=r"c was not loaded within 0.2 s"):
            host.acquire("c", timeout=0.2)
        waiting = host.request("c")
        given_up = host.request("d")
        assert given_up.cancel()
        assert host.request("a").result(0).adapter is first.adapter
        assert not waiting.done()
        second.release()
        assert waiting.result(10).name == "c@1"
        assert host.stats().resident == 2
        assert host.stats().evictions == 1
        waiting.result().release()
        with host.acquire("d") as adapter:
            assert adapter.name == "d@1"


def test_what_is_always_in_use_keeps_nobody_out_for_ever(shelf: Shelf) -> None:
    with shelf.host(1) as host:
        held = host.acquire("a")
        waiting = host.request("b")
        for _ in range(5000):
            time.sleep(0.001)
            following = host.request("a")
            if not following.done():
                break
            held.release()
            held = following.result()
        assert not following.done()
        assert not waiting.done()
        held.release()
        waiting.result(10).release()
        assert following.result(10).name == "a@1"


def test_an_adapter_too_large_by_itself_is_refused(shelf: Shelf) -> None:
    shelf.publish("large", 9, rank=16)
    with shelf.host(3) as host:
        with pytest.raises(AdapterError, match=r"large@1 takes .* may take .*: allow more"):
            host.acquire("large", timeout=10)
        with host.acquire("a", timeout=10) as adapter:
            assert adapter.name == "a@1"


def test_a_load_that_fails_is_told_to_all_who_wait_and_leaves_nothing(shelf: Shelf) -> None:
    weights = shelf.find("b")[1] / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with shelf.host(3) as host:
        asked = [host.request("b") for _ in range(3)]
        for one in asked:
            with pytest.raises(AdapterError) as caught:
                one.result(10)
            assert "\n" not in str(caught.value)
        assert (host.stats().resident, host.stats().nbytes) == (0, 0)
        weights.write_bytes(whole)
        with host.acquire("b", timeout=10) as adapter:
            assert adapter.name == "b@1"
        weights.unlink()
        with pytest.raises(AdapterError, match="train or import it again"):
            host.acquire("b")
        with pytest.raises(AdapterError, match="no adapter nobody"):
            host.acquire("nobody")


def test_a_new_version_is_used_as_soon_as_it_is_published(shelf: Shelf) -> None:
    with shelf.host(3) as host:
        old = host.acquire("a")
        shelf.publish("a", 5)
        with host.acquire("a") as new, host.acquire("a@1") as first:
            assert new.name == "a@2"
            assert first is old.adapter
        # A version that was removed and published anew is not what it was.
        write_adapter(shelf.find("a@1")[1], shelf.model.decoder.architecture, 6, rank=1)
        with host.acquire("a@1") as again:
            assert again.name == "a@1"
            assert again.nbytes < old.adapter.nbytes


def test_a_prefetched_adapter_is_there_and_not_in_use(shelf: Shelf) -> None:
    with shelf.host(3) as host:
        assert host.prefetch("a").result(10).name == "a@1"
        assert (host.stats().resident, host.stats().pinned, host.stats().hits) == (1, 0, 0)
        host.acquire("a").release()
        assert host.stats().hits == 1


def test_a_closed_host_tells_who_waits(shelf: Shelf) -> None:
    host = shelf.host(1)
    held, waiting = host.acquire("a"), host.request("b")
    host.close()
    with pytest.raises(AdapterError, match="closed"):
        waiting.result(10)
    with pytest.raises(AdapterError, match="closed"):
        host.acquire("a")
    held.release()


def test_a_thousand_adapters_and_room_for_thirty_two(shelf: Shelf) -> None:
    for number in range(1000):
        source = shelf.versions["abcd"[number % 4]][0]
        folder = shelf.root / "many" / str(number)
        folder.mkdir(parents=True)
        for name in (WEIGHTS, CONFIG):
            os.link(source / name, folder / name)
        shelf.versions[f"n{number}"] = [folder]
    drawn = random.Random(3)
    with shelf.host(32) as host:
        for _ in range(1500):
            # Some are asked for much more often than others.
            number = int(1000 * drawn.random() ** 6)
            with host.acquire(f"n{number}", timeout=10) as adapter:
                assert adapter.name == f"n{number}@1"
        found = host.stats()
        assert found.resident == 32
        assert found.nbytes <= found.most_bytes
        assert found.hits + found.misses == 1500
        assert found.evictions == found.misses - 32
        assert found.hit_rate > 0.4


def test_many_threads_each_get_the_adapter_they_ask_for(shelf: Shelf) -> None:
    def use(seed: int) -> None:
        drawn = random.Random(seed)
        for _ in range(60):
            name = drawn.choice("abcd")
            asked = host.request(name)
            if drawn.random() < 0.2 and asked.cancel():
                continue
            with asked.result(30) as adapter:
                assert adapter.name == f"{name}@1"
                assert host.stats().nbytes <= host.stats().most_bytes

    with shelf.host(2) as host, ThreadPoolExecutor(6) as threads:
        list(threads.map(use, range(6)))
        assert host.stats().pinned == 0
        assert host.stats().resident <= 2
