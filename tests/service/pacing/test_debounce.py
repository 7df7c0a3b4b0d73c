import asyncio

from valence.service.pacing.debounce import Debounced


async def test_repeated_requests_within_the_delay_run_work_once():
    """A request after that runs it again."""
    done: list[int] = []
    later = Debounced(lambda: done.append(1), seconds=0.01)
    for wanted in (1, 2):
        later.request()
        later.request()
        assert len(done) == wanted - 1
        await asyncio.sleep(0.05)
        assert len(done) == wanted


def test_without_an_event_loop_work_runs_immediately():
    done: list[int] = []
    Debounced(lambda: done.append(1), seconds=60).request()
    assert done == [1]
