"""Group commit: what is acknowledged is stored, in few transactions, and within bounds."""

import asyncio
import io
import itertools
import json
import threading
import time

import pytest
from valence.service.errors import Overloaded, Unavailable
from valence.service.feedback import group_writer
from valence.service.feedback.group_writer import GroupWriter
from valence.service.feedback.store import Store
from valence.service.observability.log import Log

from tests.service.feedback.conftest import make_record


class SlowStore:
    """A store whose first transaction waits until ``opened`` is set."""

    def __init__(self):
        self.groups = []
        self.begun, self.opened = threading.Event(), threading.Event()
        self.purged = []

    def write(self, records):
        self.groups.append([record.id for record in records])
        self.begun.set()
        if not self.opened.wait(20):
            raise TimeoutError

    def delete_before(self, received):
        self.purged.append(received)
        return 3

    def close(self):
        self.groups.append("closed")


class FailingStore(SlowStore):
    """A store whose database fails while ``broken``, with what a client sent in its message."""

    broken = True

    def write(self, records):
        if self.broken:
            raise OSError("xyzzy-canary-1f3a")


def make_writer(store, logged=None, **more):
    return GroupWriter(lambda: store, Log(logged or io.StringIO()), **more)


async def test_requests_that_wait_are_committed_together():
    store = SlowStore()
    writer = make_writer(store)
    first = asyncio.create_task(writer.write([make_record(0)]))
    await asyncio.to_thread(store.begun.wait, 20)
    others = [asyncio.create_task(writer.write([make_record(n)])) for n in range(1, 50)]
    await asyncio.sleep(0)
    assert not first.done()
    store.opened.set()
    await asyncio.gather(first, *others)
    assert store.groups == [["id-0"], [f"id-{n}" for n in range(1, 50)]]
    await writer.close()
    assert store.groups[-1] == "closed"


async def test_more_than_may_wait_is_refused_and_costs_the_others_nothing(monkeypatch):
    monkeypatch.setattr(group_writer, "MAX_WAITING", 10)
    store = SlowStore()
    writer = make_writer(store)
    waiting = asyncio.create_task(writer.write([make_record(n) for n in range(8)]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="8 records wait"):
        await writer.write([make_record(n) for n in range(8, 11)])
    more = asyncio.create_task(writer.write([make_record(20)]))
    store.opened.set()
    await asyncio.gather(waiting, more)
    await writer.write([make_record(n) for n in range(10)])
    await writer.close()


async def test_a_failing_database_is_told_once_and_recovers():
    store, logged = FailingStore(), io.StringIO()
    writer = make_writer(store, logged)
    for _ in range(3):
        with pytest.raises(Unavailable, match="nothing of it is stored") as refused:
            await writer.write([make_record()])
        assert "xyzzy" not in str(refused.value)
    store.broken = False
    await writer.write([make_record()])
    await writer.close()
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [(line["event"], line.get("type")) for line in lines] == [
        ("feedback not stored", "OSError"),
        ("feedback stored again", None),
    ]
    assert "xyzzy" not in logged.getvalue()


async def test_what_was_given_is_written_before_the_end():
    store = SlowStore()
    writer = make_writer(store)
    given = [asyncio.create_task(writer.write([make_record(n)])) for n in range(5)]
    await asyncio.sleep(0)
    store.opened.set()
    await writer.close()
    await asyncio.gather(*given)
    assert sum(len(group) for group in store.groups if group != "closed") == 5


async def test_a_request_that_is_gone_is_stored_all_the_same():
    store = SlowStore()
    writer = make_writer(store)
    gone = asyncio.create_task(writer.write([make_record()]))
    await asyncio.to_thread(store.begun.wait, 20)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    store.opened.set()
    await writer.write([make_record(1)])
    await writer.close()
    assert store.groups == [["id-0"], ["id-1"], "closed"]


async def test_old_feedback_is_deleted_from_the_start_on():
    store, logged = SlowStore(), io.StringIO()
    store.opened.set()
    writer = make_writer(store, logged, days=2.0)
    writer.start()
    await writer.write([make_record()])
    await writer.close()
    (received,) = store.purged
    assert received == pytest.approx(time.time() - 2 * 86_400, abs=60)
    assert json.loads(logged.getvalue())["records"] == 3


async def test_feedback_is_kept_without_days():
    store = SlowStore()
    store.opened.set()
    writer = make_writer(store)
    await writer.write([make_record()])
    await writer.close()
    assert store.purged == []


async def test_two_workers_write_to_one_file(tmp_path):
    path = str(tmp_path / "feedback.db")
    store = Store.open(path)
    store.prepare()
    writers = [GroupWriter(lambda: Store.open(path), Log(io.StringIO())) for _ in range(2)]
    await asyncio.gather(
        *(
            writer.write([make_record(1_000 * place + number)])
            for place, writer in enumerate(writers)
            for number in range(50)
        )
    )
    assert sum(1 for _ in store.read()) == 100
    for writer in writers:
        await writer.close()
    store.close()


async def test_commits_begin_some_time_apart():
    """Records of one client that waits for each answer do not cost a commit a millisecond."""
    store, begun = SlowStore(), []
    store.opened.set()
    write = store.write

    def note(records):
        begun.append(time.monotonic())
        write(records)

    store.write = note
    writer = make_writer(store)
    for number in range(5):
        await writer.write([make_record(number)])
    await writer.close()
    gaps = [after - before for before, after in itertools.pairwise(begun)]
    assert len(gaps) == 4
    assert min(gaps) >= 0.9 * group_writer._COMMIT_SECONDS


async def test_a_group_is_answered_over_several_turns_of_the_loop():
    store = SlowStore()
    writer = make_writer(store)
    done, turns = [], []

    async def write(number):
        await writer.write([make_record(number)])
        done.append(number)

    first = asyncio.create_task(write(0))
    await asyncio.to_thread(store.begun.wait, 20)
    others = [asyncio.create_task(write(number)) for number in range(1, 20)]
    await asyncio.sleep(0)
    store.opened.set()
    while len(done) < 20:
        turns.append(len(done))
        await asyncio.sleep(0)
    await asyncio.gather(first, *others)
    await writer.close()
    steps = [after - before for before, after in itertools.pairwise([*turns, len(done)])]
    assert max(steps) <= 2, steps
