"""Limits, keys, deadlines and the end of the port for gRPC."""

import asyncio
import random
import subprocess
import sys
import time

import grpc
import pytest
from grpc import StatusCode
from valence.service.api.grpc.messages import MESSAGES
from valence.service.api.grpc.server import ROUTES, CallServer, make_options
from valence.service.api.grpc.statuses import CODES
from valence.service.api.http.problems import KINDS, UNEXPECTED
from valence.service.errors import ConfigurationError
from valence.service.keys.key import fingerprint
from valence.service.server import port
from valence.service.settings import Settings

from tests.support.blocked_engines import Blocked, slow
from tests.support.grpc_calls import infer_request

STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


def test_without_the_port_nothing_of_grpc_is_imported():
    program = (
        "import sys; import valence.service.api.application, valence.service.app; "
        "print([name for name in sys.modules if name.partition('.')[0] == 'grpc' "
        "or name.startswith('valence.service.api.grpc')])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_the_port_without_its_packages_is_refused(monkeypatch):
    port.require_grpc()
    monkeypatch.setattr(port, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"VALENCE_GRPC_PORT needs .* valence\[grpc\]"):
        port.require_grpc()


def test_every_status_has_a_code():
    # a call has one method, and no media type of its own
    statuses = {kind.status for kind in (*KINDS.values(), UNEXPECTED)} - {405, 406}
    assert statuses == CODES.keys()


def test_the_limits_are_those_of_the_settings():
    options = dict(make_options(Settings(max_body_bytes=5_000, max_connections=7)))
    assert options["grpc.max_receive_message_length"] == 5_000
    assert options["grpc.max_allowed_incoming_connections"] == 7


async def wait_for(condition):
    """Return when ``condition`` holds; it is not told to anybody."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_has_a_line_and_counts_as_a_request(calling):
    calls = await calling()
    _, metadata = await calls.infer(["good movie", "bad"], metadata=(("x-request-id", "mine"),))
    assert metadata["x-request-id"] == "mine"
    (line,) = calls.served.lines()
    assert line["request_id"] == "mine"
    assert line["route"] == "/inference.GRPCInferenceService/ModelInfer"
    assert (line["status"], line["model"], line["texts"], line["tokens"]) == (
        200,
        "sentiment",
        2,
        3,
    )
    counted = (await calls.served.client.get("/metrics")).text
    assert 'route="/inference.GRPCInferenceService/ModelInfer"' in counted


async def test_an_answer_has_the_id_that_feedback_names(calling):
    calls = await calling()
    _, metadata = await calls.infer(["good movie"])
    said = calls.served.app.context.issuer.read(metadata["x-prediction-id"])
    assert (said.model, said.version) == ("sentiment", "1")


async def test_texts_and_keys_are_in_no_line_and_no_error(calling):
    calls = await calling(max_characters=20)
    canary = "xyzzy-canary-1f3a"
    await calls.infer([canary])
    error = await calls.refused(
        "ModelInfer", infer_request([canary * 9]), metadata=(("authorization", f"Bearer {canary}"),)
    )
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert canary not in error.details() + str(calls.served.lines())


async def test_a_call_needs_a_key_where_requests_do(calling, tmp_path):
    keys = tmp_path / "keys"
    lines = [
        f"one: sha256:{fingerprint(b'one').hex()} texts_per_second=1",
        f"metrics: sha256:{fingerprint(b'metrics').hex()} scopes=metrics",
    ]
    keys.write_text("\n".join(lines))
    calls = await calling(api_keys_file=str(keys))
    asked = infer_request(["good"])
    for metadata in ((), (("authorization", "Bearer two"),)):
        error = await calls.refused("ModelInfer", asked, metadata=metadata)
        assert error.code() is StatusCode.UNAUTHENTICATED
        assert "API key" in error.details()
    error = await calls.refused("ModelInfer", asked, metadata=(("x-api-key", "metrics"),))
    assert error.code() is StatusCode.PERMISSION_DENIED
    mine = (("authorization", "Bearer one"),)
    await calls.infer(["good"], metadata=mine)
    error = await calls.refused("ModelInfer", infer_request(["good"] * 9), metadata=mine)
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(error.trailing_metadata())["retry-after"]) >= 1
    # probes need none
    await calls.call("ServerReady")


async def test_a_message_that_is_too_large_costs_only_itself(calling):
    calls = await calling(max_body_bytes=2_000)
    error = await calls.refused("ModelInfer", infer_request(["a" * 3_000]))
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    await calls.infer(["good"])


async def test_a_compressed_message_is_refused(calling):
    calls = await calling()
    error = await calls.refused(
        "ModelInfer", infer_request(["a" * 5_000]), compression=grpc.Compression.Gzip
    )
    assert error.code() is StatusCode.UNIMPLEMENTED
    await calls.infer(["good"])


async def test_a_deadline_of_grpc_ends_the_wait_and_the_work(calling):
    calls = await calling(engine=Blocked(), request_timeout_seconds=30.0)
    slow(calls.served)
    started = time.perf_counter()
    error = await calls.refused("ModelInfer", infer_request(["good"]), timeout=0.2)
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    assert time.perf_counter() - started < 5
    calls.served.engine.opened.set()
    await calls.served.models.close()
    assert calls.served.metrics.in_flight == 0


async def test_a_full_queue_is_refused_and_says_when_to_retry(calling):
    calls = await calling(engine=Blocked(), max_texts=2, queue_items=2, request_timeout_seconds=0.5)
    slow(calls.served)
    running = asyncio.create_task(calls.refused("ModelInfer", infer_request(["good"])))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(calls.refused("ModelInfer", infer_request(["good", "bad"])))
    await asyncio.sleep(0.05)
    error = await calls.refused("ModelInfer", infer_request(["good"]))
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(error.trailing_metadata())["retry-after"]) >= 1
    assert (await running).code() is (await waiting).code() is StatusCode.DEADLINE_EXCEEDED
    calls.served.engine.opened.set()
    await calls.served.models.close()


async def test_a_client_that_cancels_leaves_the_queue(calling):
    calls = await calling(engine=Blocked(), request_timeout_seconds=30.0)
    slow(calls.served)
    path = "/inference.GRPCInferenceService/ModelInfer"
    call = calls.channel.unary_unary(path)(infer_request(["good"]).SerializeToString())
    await wait_for(lambda: calls.served.metrics.in_flight)
    call.cancel()
    await wait_for(lambda: not calls.served.metrics.in_flight)
    calls.served.engine.opened.set()
    await calls.served.models.close()
    (line,) = calls.served.lines()
    assert line["status"] == 499


async def test_each_message_of_a_stream_has_an_answer_in_order(calling):
    calls = await calling()
    stream = calls.channel.stream_stream(STREAM)()
    kind = MESSAGES["ModelStreamInferResponse"]
    for number in range(3):
        await stream.write(infer_request(["good"], id=str(number)).SerializeToString())
    await stream.write(infer_request(["good"], model_name="other").SerializeToString())
    await stream.write(infer_request(["bad"], id="last").SerializeToString())
    await stream.done_writing()
    answers = [kind.FromString(await stream.read()) for _ in range(5)]
    assert [one.infer_response.id for one in answers] == ["0", "1", "2", "", "last"]
    assert "'other'" in answers[3].error_message
    ids = [one.infer_response.parameters["prediction_id"].string_param for one in answers]
    assert len(set(ids)) == 5
    assert not ids[3]
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is StatusCode.OK
    assert len(calls.served.lines()) == 5


async def test_a_stream_without_messages_ends(calling):
    calls = await calling(stream_idle_seconds=0.2)
    stream = calls.channel.stream_stream(STREAM)()
    async with asyncio.timeout(5):
        assert await stream.code() is StatusCode.DEADLINE_EXCEEDED
    assert "no message came for 0.2 seconds" in await stream.details()


async def test_at_the_end_calls_have_answers_and_idle_streams_end(calling):
    calls = await calling(engine=Blocked(), request_timeout_seconds=30.0)
    slow(calls.served)
    idle = calls.channel.stream_stream(STREAM)()
    running = asyncio.create_task(calls.infer(["good"]))
    await wait_for(lambda: calls.served.metrics.in_flight)
    calls.served.models.ending.set()
    calls.server.leave()
    async with asyncio.timeout(5):
        assert await idle.code() is StatusCode.UNAVAILABLE
    async with grpc.aio.insecure_channel(f"127.0.0.1:{calls.server.port}") as late:
        error = None
        try:
            path = "/inference.GRPCInferenceService/ModelInfer"
            await late.unary_unary(path)(infer_request(["good"]).SerializeToString(), timeout=2)
        except grpc.aio.AioRpcError as caught:
            error = caught
        assert error is not None
    calls.served.engine.opened.set()
    answer, _ = await running
    assert answer.outputs
    async with asyncio.timeout(5):
        await calls.server.drain()


async def test_one_of_several_workers_listens_once_it_is_ready(serve):
    served, ready = serve(), asyncio.Event()
    server = CallServer(served.app.restrict(ROUTES), served.app.context, 0, ready)
    await server.start("127.0.0.1")
    assert server.port == 0
    ready.set()
    await wait_for(lambda: server.port)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        path = "/inference.GRPCInferenceService/ServerReady"
        assert await channel.unary_unary(path)(b"", wait_for_ready=True) == b"\x08\x01"
    served.models.ending.set()
    await server.drain()


async def test_a_port_that_is_taken_is_told(calling):
    calls = await calling()
    # another program, which does not share its port
    with pytest.raises(OSError, match="bind"):
        await CallServer(None, calls.served.app.context, 1).start("192.0.2.1")


async def test_damaged_messages_are_refused_and_nothing_else_happens(calling):
    calls = await calling()
    chance = random.Random(7)
    whole = infer_request(["good movie", "bad"], raw=True).SerializeToString()
    paths = [route.path.rpartition("/")[2] for route in ROUTES if "Stream" not in route.path]
    codes = set()
    for number in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            where = chance.randrange(len(content))
            if chance.random() < 0.5:
                content[where] = chance.randrange(256)
            else:
                del content[where : where + chance.randint(1, 8)]
        name = "ModelInfer" if number % 3 else chance.choice(paths)
        service = "grpc.health.v1.Health" if name == "Check" else "inference.GRPCInferenceService"
        try:
            await calls.call(name, bytes(content), service=service, timeout=5)
        except grpc.aio.AioRpcError as error:
            codes.add(error.code())
    assert codes == {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.PERMISSION_DENIED,
    }
    await calls.infer(["good"])
    assert calls.served.app._bodies.held_bytes == 0
