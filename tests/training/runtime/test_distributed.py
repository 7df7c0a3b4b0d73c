from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch
from valence.service.classifier import artifact
from valence.service.errors import ConfigurationError
from valence.training.config.loader import parse_configuration
from valence.training.config.schema import Configuration
from valence.training.data.preparation import prepare
from valence.training.pipeline import training_run
from valence.training.registry import store
from valence.training.runtime import distributed
from valence.training.runtime.progress import Reporter
from valence.training.runtime.run import Run
from valence.training.runtime.tensor_file import copy_weights
from valence.training.runtime.workspace import Workspace
from valence.training.trainer import network

from tests.support.big_files import LABELS, write

pytestmark = pytest.mark.integration


@pytest.fixture
def content(tmp_path: Path) -> dict[str, object]:
    """Return a configuration with much dropout, so that other random draws give another result."""
    file = tmp_path / "made.jsonl"
    write(file, 2**16)
    return {
        "name": "made",
        "labels": list(LABELS),
        "data": {"files": [str(file)]},
        "text": {"max_tokens": 24},
        "words": {"vectors": "", "learned_size": 8},
        "network": {"hidden_size": 4, "layers": 2},
        "regularization": {
            "word_dropout": 0.1,
            "embedding_dropout": 0.3,
            "recurrent_dropout": 0.3,
            "output_dropout": 0.3,
        },
        # an odd number of texts per batch; the last batch of a pool often has one text
        "optimization": {"batch_tokens": 24 * 7, "epochs": 3, "patience": 3, "warmup_steps": 2},
    }


def fitted(configuration: Configuration, folder: Path) -> dict[str, np.ndarray]:
    """Return the weights of the chosen epoch and the results of each epoch."""
    run = Run(Workspace(folder / "workspace"), Reporter(quiet=True))
    trained = network.train_network(
        configuration,
        prepare(configuration, run),
        None,
        run=run,
        checkpoint=folder / "run",
        observe=lambda epoch: None,
    )
    found = {name: value.numpy() for name, value in copy_weights(trained.model).items()}
    found["train loss"] = np.array([epoch.train_loss for epoch in trained.history])
    found["dev macro-F1"] = np.array([epoch.dev_macro_f1 for epoch in trained.history])
    return found


def fit_as(rank: int, port: int, contents: list[dict[str, object]], folder: Path) -> None:
    """Run one of two processes; each writes its result."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "_TIMEOUT", timedelta(minutes=5))
        patch.setenv("RANK", str(rank))
        patch.setenv("WORLD_SIZE", "2")
        patch.setenv("MASTER_ADDR", "127.0.0.1")
        patch.setenv("MASTER_PORT", str(port))
        with distributed.process_group():
            for number, content in enumerate(contents):
                found = fitted(
                    parse_configuration(content, source="the test"), folder / f"{number}"
                )
                np.savez(folder / f"{number}-{rank}.npz", **found)


def test_two_processes_reach_the_result_of_one(content: dict[str, object], tmp_path: Path) -> None:
    """With dropout, and from streams."""
    streamed = {
        **content,
        "data": {"files": [str(tmp_path / "made.jsonl")], "streamed": True},
        "optimization": {"batch_tokens": 24 * 7, "steps": 60, "evaluate_every": 25},
    }
    contents = [content, streamed]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # this process is the first one: another process takes seconds to import its modules
    second = multiprocessing.get_context("spawn").Process(
        target=fit_as, args=(1, port, contents, tmp_path)
    )
    second.start()
    try:
        fit_as(0, port, contents, tmp_path)
    finally:
        second.join(60)
        second.kill()
    assert second.exitcode == 0
    for number, chosen in enumerate(contents):
        expected = fitted(
            parse_configuration(chosen, source="the test"), tmp_path / f"alone-{number}"
        )
        left, right = (dict(np.load(tmp_path / f"{number}-{rank}.npz")) for rank in (0, 1))
        for name, value in expected.items():
            assert np.array_equal(left[name], right[name])
            np.testing.assert_allclose(left[name], value, atol=1e-4, err_msg=name)
        assert np.array_equal(left["dev macro-F1"], expected["dev macro-F1"])


def torchrun(folder: Path, content: dict[str, object]) -> subprocess.Popen[str]:
    configuration = folder / "made.toml"
    configuration.write_text(tomli_w.dumps(content))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--max-restarts", "1", "-m", "valence.training", "train"]
    command += [str(configuration), "--workspace", str(folder / "workspace"), "--no-baselines"]
    return subprocess.Popen(
        [*command, "--no-track"],
        env={
            **os.environ,
            "BENTOML_HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # as in `make train`
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def workers(parent: int) -> Iterator[tuple[str, int]]:
    """Yield the rank and process id of each process that ``parent`` started."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        for entry in environment:
            if entry.startswith(b"RANK="):
                yield entry.removeprefix(b"RANK=").decode(), int(child)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("teacher", [[], ["n-grams", "self"]])
def test_after_a_kill_two_processes_reach_the_weights_of_one(
    teacher: list[str],
    content: dict[str, object],
    tmp_path: Path,
    workspace: Workspace,
    silent: type[Reporter],
) -> None:
    if teacher:
        content["distillation"] = {"teacher": teacher, "copies": 0}
    said: list[str] = []
    killed = False
    with torchrun(tmp_path, content) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            # the checkpoint of the first epoch exists; that of the second may exist
            if line.startswith("epoch 2/3") and not killed:
                killed = True
                os.kill(dict(workers(running.pid))["1"], signal.SIGKILL)
    assert running.returncode == 0, "".join(said)
    assert any("continuing after epoch" in line for line in said)
    (together,) = (tmp_path / "models" / "made").glob("*/model.json")
    alone = training_run.train_classifier(
        parse_configuration(content, source="the test"),
        run=Run(workspace, silent()),
        with_baselines=False,
    )
    expected = artifact.load(store.find_model(alone.tag))
    found = artifact.load(together.parent)
    assert found.vocabulary.words == expected.vocabulary.words
    for name, value in expected.tensors.items():
        np.testing.assert_allclose(found.tensors[name], value, atol=2e-4, err_msg=name)
    assert not list(workspace.runs.glob("*.safetensors"))


def test_a_single_process_needs_no_communication() -> None:
    assert (distributed.rank(), distributed.world_size(), distributed.is_first()) == (0, 1, True)
    with distributed.process_group(), distributed.first_rank_first():
        assert distributed.broadcast_from_first(lambda: "made") == "made"
        assert distributed.all_gather(3) == [3]
        assert distributed.all_sum(torch.tensor([2.0])).tolist() == [2.0]
    assert not torch.distributed.is_initialized()


def test_each_process_has_its_own_gpu_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert distributed.local_device(cuda) == cuda
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.local_device(cuda) == torch.device("cuda", 1)
    assert distributed.local_device(cpu) == cpu
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigurationError, match="no GPU of its own, there are 2"):
        distributed.local_device(cuda)


def test_processes_share_each_batch(
    monkeypatch: pytest.MonkeyPatch, configured: Callable[..., Configuration]
) -> None:
    from valence.service.classifier.vocabulary import Vocabulary
    from valence.training.corpora.example import Example
    from valence.training.data.batches import EncodedTexts

    texts = [Example("a " * (1 + n % 5), "negative", "toy") for n in range(23)]
    encoded = EncodedTexts(
        texts, Vocabulary(["<unk>", "a"]), labels=LABELS, max_tokens=9, use_shares=False
    )
    optimization = configured(optimization={"batch_tokens": 10}).optimization
    whole = [len(batch.lengths) for batch in encoded.get_epoch(1, optimization).batches]
    monkeypatch.setenv("WORLD_SIZE", "3")
    parts = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        parts.append([len(batch.lengths) for batch in encoded.get_epoch(1, optimization).batches])
    assert [sum(sizes) for sizes in zip(*parts, strict=True)] == whole
    assert 0 in parts[2]  # a batch of two texts
