import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valence.service.errors import DeadlineExceeded, Overloaded
from valence.service.inference import batcher as batching
from valence.service.inference.admission import Admission, Cost, QueueLimits
from valence.service.inference.batcher import Batcher
from valence.service.inference.fair_queue import FairQueue


class RecordingMetrics:
    """Fake metrics of a model that record their calls."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []
        self.waiting = (0, 0, 0.0)

    def count_batch(self, *, items: int, tokens: int) -> None:
        self.batches.append((items, tokens))

    def set_queue(self, *, items: int, tokens: int, age_seconds: float) -> None:
        self.waiting = (items, tokens, age_seconds)


def documents(*values: Sequence[int]) -> list[np.ndarray]:
    return [np.array(value, dtype=np.int32) for value in values]


def lengths_of(batch: list[np.ndarray]) -> list[int]:
    return [int(document.sum()) for document in batch]


class GatedEngine:
    """Work that blocks until the test opens it, so that the order of events is certain."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, batch: list[np.ndarray]) -> list[int]:
        self.batches.append([len(document) for document in batch])
        assert self.opened.wait(5)
        return lengths_of(batch)


def make(
    work: Callable[[list[np.ndarray]], Sequence[int]] = lengths_of,
    *,
    items: int = 1000,
    tokens: int = 100_000,
    threaded: bool = False,
    metrics: RecordingMetrics | None = None,
) -> Batcher[int]:
    made: Batcher[int] = Batcher(
        work,
        admission=Admission(FairQueue(), QueueLimits(items, tokens), max_tokens=50),
        worker=ThreadPoolExecutor(1),
        metrics=metrics or RecordingMetrics(),  # type: ignore[arg-type]
    )
    # a slow engine goes to the thread, a fast engine runs on the loop
    made.calibrate(overhead_seconds=0.0, seconds_per_token=1.0 if threaded else 1e-7)
    return made


def reserve(batcher, items, tokens, within_seconds):
    return batcher._admission.reserve(Cost(items, tokens), within_seconds=within_seconds)


REQUESTS = st.lists(
    st.lists(st.lists(st.integers(0, 9), max_size=40), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("threaded", [False, True])
@settings(deadline=None, max_examples=40)
@given(requests=REQUESTS)
def test_every_document_is_answered_once_and_in_order(
    threaded: bool, requests: list[list[list[int]]]
) -> None:
    seen: list[tuple[int, ...]] = []

    def work(batch: list[np.ndarray]) -> list[int]:
        seen.extend(tuple(document.tolist()) for document in batch)
        return lengths_of(batch)

    async def run() -> list[list[int]]:
        batcher = make(work, threaded=threaded)
        tickets = [batcher.submit(documents(*request)) for request in requests]
        return await asyncio.gather(*(ticket.future for ticket in tickets))

    assert asyncio.run(run()) == [[sum(text) for text in request] for request in requests]
    assert sorted(seen) == sorted(tuple(text) for request in requests for text in request)


async def test_requests_of_one_loop_turn_share_a_batch() -> None:
    recorder = RecordingMetrics()
    batcher = make(metrics=recorder)
    tickets = [batcher.submit(documents([1, 2], [3])), batcher.submit(documents([4]))]
    await asyncio.gather(*(ticket.future for ticket in tickets))
    assert recorder.batches == [(3, 4)]


async def test_a_small_batch_runs_on_the_loop_within_one_turn() -> None:
    threads = []

    def work(batch: list[np.ndarray]) -> list[int]:
        threads.append(threading.current_thread())
        return lengths_of(batch)

    ticket = make(work).submit(documents([1]))
    await asyncio.sleep(0)
    assert ticket.future.done()
    assert threads == [threading.main_thread()]


async def test_a_large_batch_does_not_block_the_loop() -> None:
    gate = GatedEngine()
    batcher = make(gate, threaded=True)
    ticket = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    assert batcher.busy_seconds > 0
    gate.opened.set()
    assert await ticket.future == [1]
    assert batcher.busy_seconds == 0


async def test_requests_behind_a_busy_engine_form_the_next_batch() -> None:
    gate = GatedEngine()
    batcher = make(gate, threaded=True)
    first = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    later = [batcher.submit(documents([value])) for value in range(5)]
    gate.opened.set()
    assert await first.future == [1]
    assert [await ticket.future for ticket in later] == [[0], [1], [2], [3], [4]]
    assert [len(batch) for batch in gate.batches] == [1, 5]


async def test_one_text_waits_for_one_batch_of_a_large_request() -> None:
    """Not for all its batches."""
    gate = GatedEngine()
    batcher = make(gate, threaded=True)
    large = batcher.submit(documents(*([1] * 20 for _ in range(900))))
    await asyncio.sleep(0.01)
    small = batcher.submit(documents([7]))
    gate.opened.set()
    assert await small.future == [7]
    assert not large.future.done()
    assert len(gate.batches) == 2
    assert await large.future == [20] * 900


async def test_a_batch_holds_texts_of_similar_length() -> None:
    """And at most its number of tokens."""
    gate = GatedEngine()
    gate.opened.set()
    batcher = make(gate, threaded=True)
    lengths = [*range(1, 101)] * 2
    await batcher.submit(documents(*([1] * length for length in lengths))).future
    taken = [length for batch in gate.batches for length in batch]
    assert taken == sorted(lengths, reverse=True)
    assert max(sum(batch) for batch in gate.batches) <= batching.MIN_BATCH_TOKENS


async def test_after_a_long_loop_turn_the_next_batch_is_as_long() -> None:
    metrics = RecordingMetrics()
    batcher = make(metrics=metrics)
    # 320 tokens in a batch of a long queue on the event loop; 6,000 tokens in the turn below
    batcher.calibrate(overhead_seconds=0.0, seconds_per_token=5e-6)
    tickets = [batcher.submit(documents(range(10))) for _ in range(300)]
    # after the first batch and before the second
    await asyncio.sleep(0)
    time.sleep(0.03)  # noqa: ASYNC251 - this is the long turn
    await asyncio.gather(*(ticket.future for ticket in tickets))
    first, second = (tokens for _, tokens in metrics.batches[:2])
    assert first == 320
    assert second >= 1_500


@pytest.mark.parametrize(
    ("waiting", "tokens"), [(1, 400), (7, 400), (8, 800), (24, 1_600), (100, 1_600)]
)
async def test_batches_grow_with_the_queue_up_to_a_limit(waiting: int, tokens: int) -> None:
    metrics = RecordingMetrics()
    batcher = make(metrics=metrics, items=10**6, tokens=10**9)
    batcher.calibrate(overhead_seconds=0.0, seconds_per_token=1e-6)
    texts = [[1] * 10] * 400
    tickets = [batcher.submit(documents(*texts)) for _ in range(waiting)]
    await asyncio.sleep(0)
    assert metrics.batches[0] == (tokens // 10, tokens)
    for ticket in tickets:
        batcher.abandon(ticket)


async def test_a_reservation_is_kept_when_others_arrive() -> None:
    gate = GatedEngine()
    # one token per second
    batcher = make(gate, threaded=True, items=10, tokens=100)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    with reserve(batcher, 2, 50, 1000) as reserved:
        other = batcher.submit(documents([1] * 50))
        # more than reserved, and longer than the batcher would admit now
        late = batcher.submit(documents([1] * 51, [1]), within_seconds=10, reserved=reserved)
        with pytest.raises(DeadlineExceeded):
            batcher.submit(documents([1]), within_seconds=0, reserved=reserved)
    gate.opened.set()
    await asyncio.gather(running.future, other.future, late.future)


async def test_a_text_longer_than_a_batch_still_runs() -> None:
    assert await make().submit(documents([1] * 50_000)).future == [50_000]


async def test_a_request_unlikely_to_meet_its_deadline_is_refused():
    gate = GatedEngine()
    # one token per second
    batcher = make(gate, threaded=True)
    running = batcher.submit(documents([1]), within_seconds=0.1)
    await asyncio.sleep(0.01)
    waiting = batcher.submit(documents([1] * 7))
    with pytest.raises(Overloaded, match="would take about 10 seconds") as caught:
        batcher.submit(documents([1] * 3), within_seconds=19.9)
    assert caught.value.retry_after_seconds == pytest.approx(7.0)
    last = batcher.submit(documents([1] * 3), within_seconds=20.1)
    gate.opened.set()
    await asyncio.gather(running.future, waiting.future, last.future)


async def test_an_idle_engine_refuses_only_expired_requests():
    batcher = make(threaded=True)
    assert await batcher.submit(documents([1] * 500), within_seconds=0.001).future == [500]
    with pytest.raises(DeadlineExceeded):
        batcher.submit(documents([1]), within_seconds=0.0)


async def test_a_small_request_is_admitted_behind_a_large_one():
    gate = GatedEngine()
    batcher = make(gate, threaded=True, tokens=10**6)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    large = batcher.submit(documents(*([1] * 100 for _ in range(50))))
    small = batcher.submit(documents([1]), within_seconds=600)
    with pytest.raises(Overloaded):
        batcher.submit(documents(*([1] * 100 for _ in range(50))), within_seconds=600)
    gate.opened.set()
    await asyncio.gather(running.future, large.future, small.future)


async def test_reserved_room_is_not_given_to_others():
    gate = GatedEngine()
    # one token per second
    batcher = make(gate, threaded=True, items=10, tokens=100)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    with reserve(batcher, 2, 99, 1000):
        with pytest.raises(Overloaded, match="the queue has 2 texts with 99 tokens"):
            batcher.submit(documents([1] * 2))
        with pytest.raises(Overloaded), reserve(batcher, 1, 2, 1000):
            raise AssertionError("the promise was made")
        # the rest of the room is free
        other = batcher.submit(documents([1]))
    with pytest.raises(ZeroDivisionError), reserve(batcher, 1, 9, 1000):
        1 / 0  # noqa: B018
    # the reservations are released, also those that could not be made
    last = batcher.submit(documents([1] * 99))
    gate.opened.set()
    await asyncio.gather(running.future, other.future, last.future)


async def test_a_reservation_is_refused_if_its_answers_would_be_late():
    gate = GatedEngine()
    batcher = make(gate, threaded=True, tokens=10_000)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    waiting = batcher.submit(documents([1] * 300))
    with reserve(batcher, 1, 300, 1201):
        with pytest.raises(Overloaded), reserve(batcher, 1, 300, 1799):
            raise AssertionError("the promise was made")
        with reserve(batcher, 1, 300, 1801):
            pass
    gate.opened.set()
    await asyncio.gather(running.future, waiting.future)


async def test_out_of_memory_fails_only_its_own_request():
    def work(batch):
        if sum(map(len, batch)) > 50:
            raise MemoryError
        return lengths_of(batch)

    batcher = make(work)
    large, small = batcher.submit(documents([1] * 60)), batcher.submit(documents([1] * 3))
    with pytest.raises(MemoryError):
        await large.future
    assert await small.future == [3]


async def test_after_an_engine_thread_ends_the_next_batch_is_answered():
    """The batch of the ended thread fails."""

    def work(batch):
        if len(batch[0]) == 1:
            raise SystemExit
        return lengths_of(batch)

    batcher = make(work, threaded=True)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await batcher.submit(documents([1])).future
    assert await batcher.submit(documents([1, 1])).future == [2]


@pytest.mark.parametrize(
    ("request_", "admitted"),
    [([[1]], True), ([[1], [1]], False), ([[1] * 90], True), ([[1] * 91], False)],
)
async def test_the_queue_is_full_one_item_or_token_over_its_limit(
    request_: list[list[int]], admitted: bool
) -> None:
    gate = GatedEngine()
    batcher = make(gate, threaded=True, items=3, tokens=100)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    waiting = batcher.submit(documents([1] * 5, [1] * 5))
    if admitted:
        batcher.submit(documents(*request_))
    else:
        with pytest.raises(Overloaded, match="3 texts and 100 tokens") as caught:
            batcher.submit(documents(*request_))
        assert caught.value.retry_after_seconds == pytest.approx(10.0)
    gate.opened.set()
    await asyncio.gather(running.future, waiting.future)
    await batcher.drain()


async def test_an_empty_queue_admits_a_request_larger_than_itself() -> None:
    assert await make(items=1, tokens=1).submit(documents([1, 1], [2])).future == [2, 2]


async def test_an_abandoned_request_leaves_the_queue_and_makes_room() -> None:
    gate = GatedEngine()
    batcher = make(gate, threaded=True, items=2)
    running = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    abandoned = batcher.submit(documents([2], [3]))
    batcher.abandon(abandoned)
    waiting = batcher.submit(documents([4], [5]))
    gate.opened.set()
    assert await running.future == [1]
    assert await waiting.future == [4, 5]
    assert abandoned.future.cancelled()
    assert [len(batch) for batch in gate.batches] == [1, 2]


async def test_the_late_answer_of_an_expired_request_is_dropped() -> None:
    """The request ends with its error."""
    gate = GatedEngine()
    batcher = make(gate, threaded=True)
    ticket = batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    batcher.abandon(ticket, DeadlineExceeded("late"))
    with pytest.raises(DeadlineExceeded):
        await ticket.future
    gate.opened.set()
    await batcher.drain()
    assert await batcher.submit(documents([2])).future == [2]


@pytest.mark.parametrize("threaded", [False, True])
async def test_a_failing_document_fails_only_its_own_request(threaded: bool) -> None:
    def work(batch: list[np.ndarray]) -> list[int]:
        if any(13 in document for document in batch):
            raise FloatingPointError("13")
        return lengths_of(batch)

    batcher = make(work, threaded=threaded)
    good, bad, other = (
        batcher.submit(documents([1], [2])),
        batcher.submit(documents([3], [13])),
        batcher.submit(documents([4])),
    )
    assert await good.future == [1, 2]
    with pytest.raises(FloatingPointError):
        await bad.future
    assert await other.future == [4]
    assert await batcher.submit(documents([5])).future == [5]


async def test_the_rest_of_a_failed_request_is_not_computed() -> None:
    calls = []

    def work(batch: list[np.ndarray]) -> list[int]:
        calls.append(len(batch))
        raise RuntimeError("broken")

    batcher = make(work, threaded=True)
    with pytest.raises(RuntimeError):
        await batcher.submit(documents(*([1] * 20 for _ in range(500)))).future
    await batcher.drain()
    assert len(calls) == 1


async def test_too_few_answers_of_an_engine_are_an_error() -> None:
    """The answers are not shifted to other documents."""
    with pytest.raises(RuntimeError, match="1 answers for 2 documents"):
        await make(lambda batch: lengths_of(batch)[:1]).submit(documents([1], [2])).future


async def test_a_request_without_documents_gets_no_answers() -> None:
    assert await make().submit([]).future == []


async def test_drain_returns_after_all_requests_are_answered() -> None:
    batcher = make(threaded=True)
    tickets = [batcher.submit(documents([value])) for value in range(50)]
    await batcher.drain()
    assert all(ticket.future.done() for ticket in tickets)


async def test_the_queue_reports_its_length_and_age() -> None:
    gate, recorder = GatedEngine(), RecordingMetrics()
    batcher = make(gate, threaded=True, metrics=recorder)
    batcher.submit(documents([1]))
    await asyncio.sleep(0.01)
    batcher.submit(documents([1, 2], []))
    await asyncio.sleep(0.01)
    batcher.report()
    # an empty document counts as one token
    assert recorder.waiting[:2] == (2, 3)
    assert recorder.waiting[2] >= 0.01
    gate.opened.set()
    await batcher.drain()
    batcher.report()
    assert recorder.waiting == (0, 0, 0.0)


async def test_a_measured_slow_engine_moves_off_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = []

    def slow(batch: list[np.ndarray]) -> list[int]:
        threads.append(threading.current_thread() is threading.main_thread())
        threading.Event().wait(0.02)
        return lengths_of(batch)

    batcher = make(slow)
    for _ in range(6):
        await batcher.submit(documents([1] * 20)).future
    assert threads[0]
    assert not threads[-1]
    assert batching.INLINE_SECONDS < 0.02


async def test_a_batch_as_long_as_a_long_turn_leaves_the_loop_free() -> None:
    """Probes are answered by the loop; the thread of the engine leaves it free."""
    batches = []

    def work(batch: list[np.ndarray]) -> list[int]:
        inline = threading.current_thread() is threading.main_thread()
        batches.append((inline, sum(map(len, batch))))
        return lengths_of(batch)

    batcher = make(work)
    batcher.calibrate(overhead_seconds=0.0, seconds_per_token=2e-4)
    tickets = [batcher.submit(documents(*[[1] * 20] * 25)) for _ in range(2)]
    while not all(ticket.future.done() for ticket in tickets):
        threading.Event().wait(1.2 * batching.MAX_BATCH_SECONDS)
        await asyncio.sleep(0)
    most = batching.MAX_INLINE_SECONDS / 2e-4
    assert max(tokens for _, tokens in batches) > 1.2 * most
    assert not [tokens for inline, tokens in batches if inline and tokens > 1.2 * most]


def test_a_batcher_serves_one_loop_after_another() -> None:
    batcher = make()

    async def run() -> list[int]:
        return await batcher.submit(documents([1, 2], [3])).future

    # the first loop is closed when the second one starts
    assert [asyncio.run(run()), asyncio.run(run())] == [[3, 3], [3, 3]]


async def test_requests_ask_for_the_running_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    find = asyncio.get_running_loop

    def count() -> asyncio.AbstractEventLoop:
        asked.append(None)
        return find()

    batcher = make()
    monkeypatch.setattr(asyncio, "get_running_loop", count)
    tickets = [batcher.submit(documents([1])) for _ in range(3)]
    assert len(asked) == 1
    await asyncio.gather(*(ticket.future for ticket in tickets))
