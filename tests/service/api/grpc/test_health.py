"""gRPC's own health protocol."""

import asyncio

import grpc
import pytest
from grpc import StatusCode
from valence.service.api.grpc import health
from valence.service.api.grpc.messages import HEALTH_MESSAGES

HEALTH = "grpc.health.v1.Health"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3


def request(service=""):
    return HEALTH_MESSAGES["HealthCheckRequest"](service=service)


def status(content):
    return HEALTH_MESSAGES["HealthCheckResponse"].FromString(content).status


@pytest.mark.parametrize("service", ["", "inference.GRPCInferenceService", HEALTH])
async def test_a_ready_server_is_serving(calling, service):
    calls = await calling()
    content, _ = await calls.call("Check", request(service), service=HEALTH)
    assert status(content) == SERVING


async def test_a_server_that_loads_or_ends_is_not_serving(calling):
    calls = await calling(opened=False)
    content, _ = await calls.call("Check", request(), service=HEALTH)
    assert status(content) == NOT_SERVING


async def test_a_service_that_is_not_there_is_not_found(calling):
    calls = await calling()
    error = await calls.refused("Check", request("other"), service=HEALTH)
    assert error.code() is StatusCode.NOT_FOUND
    watching = calls.channel.unary_stream(f"/{HEALTH}/Watch")(request("other").SerializeToString())
    assert status(await watching.read()) == SERVICE_UNKNOWN
    watching.cancel()


async def test_a_watcher_learns_of_an_end_that_comes_while_it_is_told(calling):
    calls = await calling()
    models = calls.served.models
    watching = health.watch(models, request().SerializeToString())
    assert status(await anext(watching)) == SERVING
    models.ending.set()
    assert [status(content) async for content in watching] == [NOT_SERVING]


async def test_a_watcher_learns_of_the_end_at_once(calling):
    calls = await calling()
    watching = calls.channel.unary_stream(f"/{HEALTH}/Watch")(request().SerializeToString())
    assert status(await watching.read()) == SERVING
    calls.served.models.ending.set()
    async with asyncio.timeout(2):
        assert status(await watching.read()) == NOT_SERVING
        assert await watching.read() is grpc.aio.EOF
