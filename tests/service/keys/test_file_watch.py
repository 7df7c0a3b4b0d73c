import os

import pytest
from valence.service.keys.file_watch import CHECK_SECONDS, SETTLE_SECONDS, FileWatch


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Scene:
    """A watch on a file, with clocks that the test moves."""

    def __init__(self, path):
        self.path = path
        self.clock, self.wall = Clock(1e3), Clock(0.0)
        self.watch = FileWatch(path, clock=self.clock, wall_clock=self.wall)

    def take(self, seconds: float, *, age: float) -> bool:
        """Look ``seconds`` later, when the last change of the file is ``age`` old."""
        self.clock.now += seconds
        changed = self.path if self.path.exists() else self.path.parent
        self.wall.now = (changed.stat().st_ctime if changed.exists() else 0.0) + age
        return self.watch.take_change()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "folder" / "keys"
    path.parent.mkdir()
    path.write_text("one")
    return Scene(path)


def test_a_file_is_read_first_and_then_when_it_changes(file):
    assert file.take(0, age=9)
    assert not file.take(CHECK_SECONDS, age=9)
    file.path.write_text("other")
    assert not file.take(CHECK_SECONDS / 2, age=9)  # too soon to look
    assert file.take(CHECK_SECONDS / 2, age=9)
    assert not file.take(CHECK_SECONDS, age=9)


def test_a_removed_file_is_a_change_and_so_is_its_return(file):
    file.take(0, age=9)
    file.path.unlink()
    assert file.take(CHECK_SECONDS, age=9)
    assert not file.take(CHECK_SECONDS, age=9)
    file.path.write_text("one")
    assert file.take(CHECK_SECONDS, age=9)
    file.path.unlink()
    file.path.parent.rmdir()
    assert file.take(CHECK_SECONDS, age=9)


def test_a_copy_of_the_same_size_and_time_is_a_change(file, tmp_path):
    file.take(0, age=9)
    before = file.path.stat()
    file.path.write_text("two")
    os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.take(CHECK_SECONDS, age=9)


@pytest.mark.parametrize("change", ["emptied", "removed"])
def test_a_file_gets_the_time_to_be_written(file, change):
    file.take(0, age=9)
    if change == "emptied":
        file.path.write_text("")
    else:
        file.path.unlink()
    assert not file.take(CHECK_SECONDS, age=SETTLE_SECONDS / 2)
    file.path.write_text("the whole")
    assert file.take(SETTLE_SECONDS, age=2 * SETTLE_SECONDS)


def test_a_file_that_always_changes_is_taken_within_two_checks(file):
    file.take(0, age=9)
    looks = 0
    taken = []
    while looks * SETTLE_SECONDS < 4 * CHECK_SECONDS:
        looks += 1
        file.path.write_text(f"{looks}")
        if file.take(SETTLE_SECONDS, age=0.0):
            taken.append(looks * SETTLE_SECONDS)
    assert taken[0] <= 2 * CHECK_SECONDS + SETTLE_SECONDS
    assert len(taken) >= 2


def test_what_is_read_during_a_write_is_not_confirmed(file):
    file.take(0, age=9)
    assert file.watch.confirm_state()
    file.path.write_text("other")
    assert file.take(CHECK_SECONDS, age=9)
    file.path.write_text("")
    assert not file.watch.confirm_state()
    assert not file.take(SETTLE_SECONDS / 2, age=9)
    assert not file.take(SETTLE_SECONDS, age=SETTLE_SECONDS / 2)
    assert file.take(SETTLE_SECONDS, age=9)
    assert file.watch.confirm_state()


def test_what_is_read_in_the_tick_of_its_change_is_read_again(file):
    """A second write in that tick leaves the state as it was."""
    assert file.take(0, age=0.0)
    assert file.take(CHECK_SECONDS, age=9)
    assert not file.take(CHECK_SECONDS, age=9)


def test_a_file_that_could_not_be_read_is_asked_for_again(file):
    file.take(0, age=9)
    file.path.write_text("other")
    assert file.take(CHECK_SECONDS, age=9)
    file.watch.forget()
    assert file.take(CHECK_SECONDS, age=9)
    assert not file.take(CHECK_SECONDS, age=9)


def test_a_path_that_cannot_be_seen_is_asked_for_at_each_check(file, monkeypatch):
    file.take(0, age=9)

    def refuse(*_given, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file.path), "stat", refuse)
    for _ in range(2):
        file.clock.now += CHECK_SECONDS
        assert file.watch.take_change()
