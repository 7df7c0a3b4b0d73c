"""The port for gRPC of a served bento: two workers, a port that is taken, and the end."""

import os
import signal
import socket
import subprocess

import grpc
import httpx
import pytest
from valence.service.api.grpc.messages import HEALTH_MESSAGES, MESSAGES

from tests.support.grpc_calls import infer_request

pytestmark = pytest.mark.e2e

METHOD = "/inference.GRPCInferenceService/ModelInfer"
SERVING, NOT_SERVING = 1, 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(content: bytes) -> int:
    return HEALTH_MESSAGES["HealthCheckResponse"].FromString(content).status


def test_two_workers_answer_calls_and_end_at_sigterm(bento, serving, tmp_path):
    port = free_port()
    options = {"VALENCE_WORKERS": "2", "VALENCE_GRPC_PORT": str(port)}
    with serving(bento, cwd=tmp_path, home=tmp_path / "home", **options) as server:
        over_http = httpx.post(f"{server.url}/v1/classify", json={"text": "good"}).json()
        for _ in range(8):
            # a connection each, which the kernel gives to one of the workers
            with grpc.insecure_channel(
                f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),)
            ) as channel:
                content = channel.unary_unary(METHOD)(
                    infer_request(["good"]).SerializeToString(), timeout=20, wait_for_ready=True
                )
            answer = MESSAGES["ModelInferResponse"].FromString(content)
            (label,) = answer.outputs[0].contents.bytes_contents
            assert label.decode() == over_http["results"][0]["label"]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            watching = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            assert status(next(watching)) == SERVING
            server.process.send_signal(signal.SIGTERM)
            assert [status(content) for content in watching] == [NOT_SERVING]
        assert server.process.wait(20) == 0


def test_a_port_for_calls_in_use_is_one_line(bento, serving, tmp_path):
    port = free_port()
    home = tmp_path / "home"
    options = {"VALENCE_GRPC_PORT": str(port)}
    with serving(bento, cwd=tmp_path, home=home, **options) as first:
        done = subprocess.run(
            [*first.process.args[:-1], str(free_port())],
            cwd=tmp_path,
            env={**os.environ, "BENTOML_HOME": str(home), **options},
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert f"cannot listen on port {port} of 127.0.0.1: another program" in line
    assert "VALENCE_GRPC_PORT" in line
