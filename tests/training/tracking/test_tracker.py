from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from valence.service.classifier.manifest import Manifest
from valence.training.config.schema import Configuration
from valence.training.pipeline.training_run import Trained
from valence.training.runtime.progress import Reporter
from valence.training.runtime.workspace import Workspace
from valence.training.tracking import mlflow as _runs
from valence.training.tracking import tracker
from valence.training.tracking.mlflow import MlflowTracker
from valence.training.tracking.tensorboard import TensorBoardTracker
from valence.training.tracking.tracker import Tracking, track_run
from valence.training.trainer.checkpoint import Epoch

pytestmark = pytest.mark.integration

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

RUN = "toy-0123456789abcdef"


def epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number,
        train_loss=1 / number,
        dev_loss=0.9,
        dev_macro_f1=0.5 + number / 100,
        seconds=1.5,
        tokens_per_second=43_210.0,
    )


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove a tracker's environment variables after the test; never use the user's own server."""
    for name in [*_runs.DEFAULTS, "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def manifest(trained: tuple[Trained, Workspace, Path]) -> Manifest:
    return trained[0].manifest


def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    from mlflow.tracking import MlflowClient  # by now a run has set its variables

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return MlflowClient(tracking_uri=(folder / "mlruns").as_uri())


def test_a_run_holds_settings_epochs_figures_and_hashes(
    tmp_path: Path,
    configured: Callable[..., Configuration],
    manifest: Manifest,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reporter = silent()
    with track_run(tmp_path, reporter) as run:
        run.begin(configured(), RUN)
        for number in (1, 2, 3):
            run.log_epoch(epoch(number))
        run.finish(manifest)
    assert reporter.said == []
    store = client(tmp_path, monkeypatch)
    (found,) = store.search_runs([store.get_experiment_by_name("toy").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["optimization.learning_rate"] == "0.03"
    assert found.data.params["data.corpora"] == "toy"
    history = store.get_metric_history(found.info.run_id, "dev_macro_f1")
    assert [(one.step, one.value) for one in history] == [(1, 0.51), (2, 0.52), (3, 0.53)]
    assert found.data.metrics["test/macro_f1"] == manifest.metrics["test"]["macro_f1"]
    assert found.data.metrics["dev/ece"] == manifest.metrics["dev"]["ece"]
    rates = {name: one.rate for name, one in manifest.behaviour.items()}
    assert found.data.metrics["behaviour/fairness_gender"] == rates["fairness: gender"]
    told = [name for name in found.data.metrics if name.startswith("behaviour/")]
    assert len(told) == len(rates)
    tags = found.data.tags
    assert tags["mlflow.runName"] == f"toy:{manifest.version}"
    assert tags["mlflow.source.git.commit"] == manifest.training.code_version
    assert tags["valence.train.sha256"] == manifest.training.split_sha256["train"]
    assert tags["valence.corpus.toy.sha256"] == manifest.training.corpora[0].sha256
    card = next((tmp_path / "mlruns").rglob("MODEL_CARD.md")).read_text()
    assert f"# toy {manifest.version}" in card


def test_tensorboard_reads_the_curves(
    tmp_path: Path, configured: Callable[..., Configuration], manifest: Manifest
) -> None:
    curves = TensorBoardTracker(tmp_path)
    curves.begin(configured(), RUN)
    for number in (1, 2, 3):
        curves.log_epoch(epoch(number))
    curves.finish(manifest)
    read = EventAccumulator(str(tmp_path / RUN)).Reload()
    points = [(one.step, one.value) for one in read.Scalars("macro-F1/dev")]
    assert points == [(number, pytest.approx(0.5 + number / 100)) for number in (1, 2, 3)]
    (last,) = read.Scalars("test/macro_f1")
    assert last.step == manifest.training.epochs
    assert last.value == pytest.approx(manifest.metrics["test"]["macro_f1"])
    (rate,) = read.Scalars("behaviour/typo")
    assert rate.value == pytest.approx(manifest.behaviour["typo"].rate)


def test_an_interrupted_run_resumes_as_the_same_run(
    tmp_path: Path,
    configured: Callable[..., Configuration],
    manifest: Manifest,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each epoch appears once."""

    def interrupted() -> None:
        with track_run(tmp_path, silent()) as run:
            run.begin(configured(), RUN)
            run.log_epoch(epoch(1))
            run.log_epoch(epoch(2))  # tracked, but interrupted before its checkpoint
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    store = client(tmp_path, monkeypatch)
    experiment = store.get_experiment_by_name("toy").experiment_id
    assert [one.info.status for one in store.search_runs([experiment])] == ["KILLED"]
    with track_run(tmp_path, silent()) as run:
        run.begin(configured(), RUN)
        run.log_epoch(epoch(2))
        run.log_epoch(epoch(3))
        run.finish(manifest)
    assert [one.info.status for one in store.search_runs([experiment])] == ["FINISHED"]
    read = EventAccumulator(str(tmp_path / "curves" / RUN)).Reload()
    assert [one.step for one in read.Scalars("loss/train")] == [1, 2, 3]
    # the same run after it was finished is another run
    with track_run(tmp_path, silent()) as run:
        run.begin(configured(), RUN)
        run.finish(manifest)
    assert len(store.search_runs([experiment])) == 2


def test_an_unreachable_server_gives_one_warning(
    tmp_path: Path,
    configured: Callable[..., Configuration],
    manifest: Manifest,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The training continues."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://alice:secret@127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    reporter = silent()
    with track_run(tmp_path, reporter) as run:
        run.begin(configured(), RUN)
        run.log_epoch(epoch(1))
        run.finish(manifest)
    (warning,) = reporter.said
    assert warning.startswith("warning: this run is no longer tracked in MLflow")
    assert "secret" not in warning
    read = EventAccumulator(str(tmp_path / "curves" / RUN)).Reload()
    assert len(read.Scalars("loss/train")) == 1


class FakeMlflowServer(BaseHTTPRequestHandler):
    """The part of MLflow's REST interface that a run needs; it records its requests."""

    told: list[tuple[str, dict[str, Any]]]

    def _answer(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}, 404)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.partition("/mlflow/")[2]
        self.told.append((method, asked))
        info = {"run_id": "r1", "run_uuid": "r1", "experiment_id": "7", "status": "RUNNING"}
        self._answer({
            "experiments/create": {"experiment_id": "7"},
            "runs/search": {"runs": []},
            "runs/create": {"run": {"info": info, "data": {}}},
        }.get(method, {}))  # fmt: skip

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    handler = type("Told", (FakeMlflowServer,), {"told": told})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", told
        listening.shutdown()
        thread.join()


def test_the_usual_variable_sets_the_tracking_server(
    tmp_path: Path,
    configured: Callable[..., Configuration],
    server: tuple[str, list[tuple[str, dict[str, Any]]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, told = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "nightly")
    runs = MlflowTracker(tmp_path / "mlruns")
    configuration = configured(data={"files": ["/home/alice/reviews.csv"]})
    runs.begin(configuration, RUN)
    runs.log_epoch(epoch(1))
    methods = [method for method, _ in told]
    assert methods == [
        "experiments/create", "runs/search", "runs/create", "runs/log-batch", "runs/log-batch",
    ]  # fmt: skip
    assert told[0][1]["name"] == "nightly"
    assert {"key": "data.files", "value": "reviews.csv"} in told[3][1]["params"]
    assert "alice" not in json.dumps(told)
    assert {row["key"] for row in told[4][1]["metrics"]} >= {"train_loss", "tokens_per_second"}
    assert not (tmp_path / "mlruns").exists()


def test_a_failing_tracker_does_not_affect_the_others() -> None:
    class RecordingTracker:
        name = "told"

        def __init__(self, *, fails: bool) -> None:
            self.fails, self.calls = fails, []

        def log_epoch(self, one: Epoch) -> None:
            self.calls.append(one.epoch)
            if self.fails:
                raise OSError("no space left\non http://alice:secret@disk")

    bad, good = RecordingTracker(fails=True), RecordingTracker(fails=False)
    said: list[str] = []
    run = Tracking([bad, good], warn=said.append)
    run.log_epoch(epoch(1))
    run.log_epoch(epoch(2))
    assert (bad.calls, good.calls) == ([1], [1, 2])
    assert said == ["warning: this run is no longer tracked in told: OSError: no space left"]


def test_without_the_packages_a_run_is_untracked_with_a_message(
    tmp_path: Path,
    configured: Callable[..., Configuration],
    manifest: Manifest,
    silent: type[Reporter],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracker, "find_spec", lambda name: None)
    reporter = silent()
    with track_run(tmp_path, reporter) as run:
        run.begin(configured(), RUN)
        run.log_epoch(epoch(1))
        run.finish(manifest)
    assert reporter.said == [
        "this run is not tracked: run pip install 'valence[tracking]', or use --no-track"
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_telemetry_of_mlflow_is_disabled(
    tmp_path: Path, configured: Callable[..., Configuration]
) -> None:
    MlflowTracker(tmp_path).begin(configured(), RUN)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
