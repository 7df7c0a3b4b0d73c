from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from valence.service.errors import ConfigurationError
from valence.training.trainer.checkpoint import Checkpoint, Epoch, hold_run, load_checkpoint

EPOCH = Epoch(
    epoch=1, train_loss=1.1, dev_loss=0.9, dev_macro_f1=0.5, seconds=2.0, tokens_per_second=1e5
)
PARTS = ("model", "average", "chosen", "optimizer")


def make(value: float = 1.0, epochs: int = 2) -> Checkpoint:
    history = tuple(dataclasses.replace(EPOCH, epoch=number + 1) for number in range(epochs))
    parts = {
        part: {"a/b": torch.full((2, 3), value + i), "c": torch.tensor(value)}
        for i, part in enumerate(PARTS)
    }
    return Checkpoint(history=history, position=(3, 70), **parts)


def same(left: Checkpoint | None, right: Checkpoint) -> bool:
    return (
        left is not None
        and left.history == right.history
        and left.position == right.position
        and all(
            getattr(left, part).keys() == getattr(right, part).keys()
            and all(torch.equal(v, getattr(right, part)[n]) for n, v in getattr(left, part).items())
            for part in PARTS
        )
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one.safetensors"
    make().save(path)
    assert same(load_checkpoint(path), make())
    make(5.0, epochs=3).save(path)
    assert same(load_checkpoint(path), make(5.0, epochs=3))
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_tensors_that_share_memory_or_lie_turned_are_saved_right(tmp_path: Path) -> None:
    table = torch.arange(6.0).reshape(2, 3)
    shared = dataclasses.replace(make(), model={"x": table, "y": table, "turned": table.T})
    shared.save(tmp_path / "run")
    loaded = load_checkpoint(tmp_path / "run")
    assert loaded is not None
    assert torch.equal(loaded.model["turned"], table.T)
    assert torch.equal(loaded.model["x"], loaded.model["y"])


def test_an_optimizer_without_state_is_saved_too(tmp_path: Path) -> None:
    empty = dataclasses.replace(make(), optimizer={})
    empty.save(tmp_path / "run")
    assert same(load_checkpoint(tmp_path / "run"), empty)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left")])
def test_a_save_that_breaks_off_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    path = tmp_path / "run"
    make(1.0).save(path)

    def break_off(tensors: object, target: Path, metadata: object) -> None:
        target.write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", break_off)
    with pytest.raises((KeyboardInterrupt, OSError)):
        make(2.0).save(path)
    assert same(load_checkpoint(path), make(1.0))
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_cut_short_is_none(tmp_path: Path) -> None:
    path = tmp_path / "run"
    make().save(path)
    content = path.read_bytes()
    for end in range(0, len(content), 17):
        path.write_bytes(content[:end])
        assert load_checkpoint(path) is None


def test_no_file_and_a_folder_are_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent") is None
    assert load_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({"model/a": torch.zeros(1)}, None),
        ({"model/a": torch.zeros(1)}, {"other": "1"}),
        ({"model/a": torch.zeros(1)}, {"state": "not json"}),
        ({"model/a": torch.zeros(1)}, {"state": "{}"}),
        ({"model/a": torch.zeros(1)}, {"state": "[]"}),
        ({"model/a": torch.zeros(1)}, {"state": '{"history": [{"epoch": 1}]}'}),
        ({"model/a": torch.zeros(1)}, {"state": '{"history": 3}'}),
        ({"other/a": torch.zeros(1)}, {"state": '{"history": []}'}),
    ],
)
def test_a_file_that_is_something_else_is_no_checkpoint(
    tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None
) -> None:
    safetensors.torch.save_file(tensors, tmp_path / "run", metadata=metadata)
    assert load_checkpoint(tmp_path / "run") is None


def test_a_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"model": torch.zeros(1)}, tmp_path / "run")
    assert load_checkpoint(tmp_path / "run") is None


HOLD = """
import sys, time
from pathlib import Path
from valence.training.trainer.checkpoint import hold_run
with hold_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_are_never_at_the_same_run_and_one_that_dies_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="another process"), hold_run(path):
            pass
        # another run is nobody's concern
        with hold_run(tmp_path / "another.safetensors"):
            pass
        other.kill()
    with hold_run(path):
        pass
    assert list(tmp_path.iterdir()) == []
