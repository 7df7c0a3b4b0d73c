"""A token bucket of several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

from valence.service.pacing.shared_bucket import SharedTokenBucket

TAKES = 500


def test_all_who_have_the_file_share_one_balance(tmp_path):
    now = 0.0
    path = tmp_path / "bucket"
    one = SharedTokenBucket(4.0, capacity=4.0, path=path, clock=lambda: now)
    two = SharedTokenBucket(4.0, capacity=4.0, path=path, clock=lambda: now)
    one.take(6)
    assert two.balance() == -2
    assert two.wait_seconds() == 0.75
    now = 0.5
    two.take(1)
    assert one.balance() == -1
    # who comes later finds the debt
    assert SharedTokenBucket(4.0, capacity=4.0, path=path, clock=lambda: now).balance() == -1
    now = 100.0
    assert one.balance() == two.balance() == 4


def take_many(path: Path) -> None:
    bucket = SharedTokenBucket(1e-6, capacity=0.0, path=path)
    for _ in range(TAKES):
        bucket.take(1)


def test_no_token_of_two_processes_is_lost(tmp_path):
    path = tmp_path / "bucket"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=take_many, args=(path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    balance = SharedTokenBucket(1e-6, capacity=0.0, path=path).balance()
    assert -2 * TAKES <= balance < -2 * TAKES + 1


def test_a_process_that_is_killed_frees_the_bucket(tmp_path):
    path = tmp_path / "bucket"
    child = os.fork()
    if child == 0:
        bucket = SharedTokenBucket(1.0, capacity=1.0, path=path)
        with bucket._shared():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert SharedTokenBucket(1.0, capacity=1.0, path=path).balance() == 1


def test_a_bucket_closes_its_file(tmp_path):
    def is_open(number: int) -> bool:
        try:
            os.fstat(number)
        except OSError:
            return False
        return True

    def count_files() -> int:
        return sum(map(is_open, range(256)))

    before = count_files()
    bucket = SharedTokenBucket(1.0, capacity=1.0, path=tmp_path / "bucket")
    bucket.take(1)
    assert count_files() == before + 1
    del bucket
    assert count_files() == before
