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

pytestmark = pytest.mark.integration

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


def test_a_loaded_checkpoint_equals_the_saved_one(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one.safetensors"
    make().save(path)
    assert same(load_checkpoint(path), make())
    make(5.0, epochs=3).save(path)
    assert same(load_checkpoint(path), make(5.0, epochs=3))
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_shared_and_transposed_tensors_are_saved_correctly(tmp_path: Path) -> None:
    table = torch.arange(6.0).reshape(2, 3)
    shared = dataclasses.replace(make(), model={"x": table, "y": table, "turned": table.T})
    shared.save(tmp_path / "run")
    loaded = load_checkpoint(tmp_path / "run")
    assert loaded is not None
    assert torch.equal(loaded.model["turned"], table.T)
    assert torch.equal(loaded.model["x"], loaded.model["y"])


def test_an_optimizer_without_state_is_saved(tmp_path: Path) -> None:
    empty = dataclasses.replace(make(), optimizer={})
    empty.save(tmp_path / "run")
    assert same(load_checkpoint(tmp_path / "run"), empty)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left")])
def test_a_failed_save_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    path = tmp_path / "run"
    make(1.0).save(path)

    def fail_midway(tensors: object, target: Path, metadata: object) -> None:
        target.write_bytes(b"half a file")
        raise error

    monkeypatch.setattr(safetensors.torch, "save_file", fail_midway)
    with pytest.raises((KeyboardInterrupt, OSError)):
        make(2.0).save(path)
    assert same(load_checkpoint(path), make(1.0))
    assert list(tmp_path.iterdir()) == [path]


def test_a_truncated_checkpoint_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "run"
    make().save(path)
    content = path.read_bytes()
    for end in range(0, len(content), 17):
        path.write_bytes(content[:end])
        assert load_checkpoint(path) is None


def test_a_missing_file_or_a_folder_is_not_a_checkpoint(tmp_path: Path) -> None:
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
def test_another_file_is_not_a_checkpoint(
    tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None
) -> None:
    safetensors.torch.save_file(tensors, tmp_path / "run", metadata=metadata)
    assert load_checkpoint(tmp_path / "run") is None


def test_a_pickle_is_not_a_checkpoint(tmp_path: Path) -> None:
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


def test_a_run_is_locked_until_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match="another process"), hold_run(path):
            pass
        # another run is not locked
        with hold_run(tmp_path / "another.safetensors"):
            pass
        other.kill()
    with hold_run(path):
        pass
    assert list(tmp_path.iterdir()) == []
