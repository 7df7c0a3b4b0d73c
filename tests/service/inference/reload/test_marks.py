"""Workers tell each other to reload a model."""

from __future__ import annotations

import os

from valence.service.inference.reload.marks import ReloadMarks


def test_a_mark_is_seen_once_by_every_other_worker(tmp_path):
    one, two, three = (ReloadMarks(tmp_path) for _ in range(3))
    one.put("sentiment")
    assert list(one.take()) == []
    assert list(two.take()) == ["sentiment"]
    assert list(two.take()) == []
    os.utime(tmp_path / "sentiment.reload", ns=(1, 1))
    two.put("topic")
    assert sorted(three.take()) == ["sentiment", "topic"]
    assert list(two.take()) == ["sentiment"]


def test_a_new_worker_does_not_see_old_marks(tmp_path):
    ReloadMarks(tmp_path).put("sentiment")
    assert list(ReloadMarks(tmp_path).take()) == []


def test_the_only_worker_has_no_marks():
    marks = ReloadMarks(None)
    marks.put("sentiment")
    assert list(marks.take()) == []
