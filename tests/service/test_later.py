import asyncio

from valence.service.pacing.debounce import Later


async def test_repeated_requests_within_the_delay_run_work_once():
    """A request after that runs it again."""
    done: list[int] = []
    later = Later(lambda: done.append(1), seconds=0.01)
    for wanted in (1, 2):
        later.ask()
        later.ask()
        assert len(done) == wanted - 1
        await asyncio.sleep(0.05)
        assert len(done) == wanted


def test_without_an_event_loop_work_runs_immediately():
    done: list[int] = []
    Later(lambda: done.append(1), seconds=60).ask()
    assert done == [1]
