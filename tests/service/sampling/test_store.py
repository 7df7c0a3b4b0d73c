"""The sample in a database: bounded, read newest first, and deleted for good."""

from __future__ import annotations

import math
from pathlib import Path

from valence.service.sampling.store import SampleStore

from tests.service.sampling.conftest import make_sample


def ids(store: SampleStore, model: str = "") -> list[int]:
    return [int(sample.id.removeprefix("id-")) for sample in store.read(model)]


def test_what_was_kept_is_read_newest_first(store: SampleStore) -> None:
    samples = [make_sample(n, text="Très bien 🙂" if n else "") for n in range(3)]
    assert store.keep(samples, most=10) == {("sentiment", "uncertain"): -math.inf}
    assert list(store.read()) == samples[::-1]
    assert len(list(store.read(limit=2))) == 2


def test_the_highest_priorities_of_each_reservoir_stay(store: SampleStore) -> None:
    samples = [make_sample(n, reason="uncertain" if n % 2 else "drifting") for n in range(10)]
    samples += [make_sample(77, model="topic", priority=-9.0)]
    assert store.keep(samples, most=2) == {
        ("sentiment", "drifting"): 6.0,
        ("sentiment", "uncertain"): 7.0,
        ("topic", "uncertain"): -math.inf,
    }
    assert ids(store, "sentiment") == [9, 8, 7, 6]
    assert ids(store, "topic:1") == [77]
    assert ids(store, "topic:2") == []
    store.keep([make_sample(20, priority=7.5), make_sample(21, priority=6.5)], most=2)
    assert ids(store, "sentiment") == [20, 9, 8, 6]


def test_a_text_that_comes_again_has_its_first_priority(store: SampleStore) -> None:
    store.keep([make_sample(1)], most=5)
    store.keep([make_sample(1, priority=99.0)], most=5)
    assert [sample.priority for sample in store.read()] == [1.0]


def test_texts_are_deleted_by_id_and_by_age(store: SampleStore) -> None:
    store.keep([make_sample(n) for n in range(6)], most=10)
    assert store.delete(["id-1", "id-77"]) == 1
    assert store.delete_before(make_sample(3).time) == 2
    assert ids(store) == [5, 4, 3]


def test_a_deleted_text_is_in_no_file_of_sqlite(tmp_path: Path) -> None:
    store = SampleStore.open(str(tmp_path / "feedback.db"))
    store.prepare()

    def files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    store.keep([make_sample(text="xyzzy-canary-1f3a")], most=1)
    assert b"xyzzy-canary-1f3a" in files()
    store.delete(["id-0"])
    assert b"xyzzy-canary-1f3a" not in files()
    store.close()
