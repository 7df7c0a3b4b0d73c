"""Windows have a fixed number of texts, and workers fill the same one."""

import multiprocessing

import numpy as np
import pytest
from valence.service.monitoring.signals import Board, Signal
from valence.service.monitoring.windows import KEPT_WINDOWS, Windows


def make_board(window=10):
    expected = np.array([70, 30])
    signals = (
        Signal("label", ("a", "b"), ordered=False, expected=expected),
        Signal("length", ("4", ""), ordered=True, expected=expected),
    )
    return Board(signals, window=window, rate=1e-3)


def rows(*labels):
    return np.array([(label, 1 - label) for label in labels])


@pytest.fixture(params=[False, True], ids=["in memory", "in a file"])
def windows(request, tmp_path):
    return Windows(make_board(), tmp_path / "counts" if request.param else None)


def test_a_window_has_exactly_its_texts(windows):
    assert windows.add(rows(*[0] * 7)) == []
    (first, second) = windows.add(rows(*[1] * 15))
    assert first.counts.tolist() == [7, 3, 3, 7]
    assert second.counts.tolist() == [0, 10, 10, 0]
    history = windows.read()
    assert (history.windows, history.filled) == (2, 2)
    assert history.filling.tolist() == [0, 2, 2, 0]
    assert history.total.tolist() == [7, 13, 13, 7]
    assert [one.counts.tolist() for one in history.last] == [[7, 3, 3, 7], [0, 10, 10, 0]]


def test_old_windows_make_room(windows):
    total = KEPT_WINDOWS + 5
    windows.add(rows(*[0] * 50, *[1] * (10 * total - 50)))
    history = windows.read()
    assert history.windows == total
    assert len(history.last) == KEPT_WINDOWS
    assert {tuple(one.counts) for one in history.last} == {(0, 10, 10, 0)}
    assert history.total.sum() == 20 * total


def fill(path, label):
    windows = Windows(make_board(), path)
    return sum(len(windows.add(rows(label))) for _ in range(205))


def test_workers_fill_windows_together(tmp_path):
    path = tmp_path / "counts"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        full = pool.starmap(fill, [(path, 0), (path, 1)])
    history = Windows(make_board(), path).read()
    assert sum(full) == history.windows == 41
    assert history.total.tolist() == [205, 205, 205, 205]
    assert history.filled == 0


def test_a_drifted_window_names_its_signals():
    board = make_board(window=100)
    usual = np.array([70, 30, 70, 30])
    assert board.find_drift(usual) == {"label": False, "length": False}
    assert board.find_drift(np.array([70, 30, 10, 90])) == {"label": False, "length": True}


def test_signals_without_a_reference_are_not_judged():
    signals = (Signal("label", ("a", "b"), ordered=False, expected=None),)
    board = Board(signals, window=10, rate=1e-3)
    assert board.find_drift(np.array([10, 0])) == {}
