from __future__ import annotations

import pytest
from valence.service.errors import ConfigurationError
from valence.training.experiments.search.processes import join_processes


def test_a_trial_has_a_worker_until_its_process_is_killed(tmp_path, other_process):
    with join_processes(tmp_path / "toy.db") as processes:
        assert not processes.has_worker(3)
        other = other_process(tmp_path / "toy.db", trial=3)
        assert processes.has_worker(3)
        assert not processes.has_worker(2)
        other.kill()
        other.wait()
        assert not processes.has_worker(3)


def test_a_trial_of_this_process_has_a_worker_until_it_is_released(tmp_path):
    with join_processes(tmp_path / "toy.db") as processes:
        processes.claim(0)
        assert processes.has_worker(0)
        processes.release(0)
        assert not processes.has_worker(0)


def test_a_process_is_alone_or_refused(tmp_path, other_process):
    with join_processes(tmp_path / "toy.db") as processes:
        with processes.be_alone("toy"):
            pass
        other = other_process(tmp_path / "toy.db")
        with (
            pytest.raises(ConfigurationError, match=r"'toy', which --fresh would forget; wait"),
            processes.be_alone("toy"),
        ):
            pass
        other.kill()
        other.wait()
        with processes.be_alone("toy"):
            pass
