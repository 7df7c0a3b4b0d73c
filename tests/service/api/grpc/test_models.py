"""The methods about server and models."""

from grpc import StatusCode
from valence.service.api.grpc.messages import MESSAGES
from valence.service.version import VERSION


async def ask(calls, method, **fields):
    content, _ = await calls.call(method, MESSAGES[f"{method}Request"](**fields))
    return MESSAGES[f"{method}Response"].FromString(content)


async def test_server_and_models_say_whether_they_are_ready(calling):
    calls = await calling()
    assert (await ask(calls, "ServerLive")).live
    assert (await ask(calls, "ServerReady")).ready
    assert (await ask(calls, "ModelReady", name="sentiment")).ready
    assert (await ask(calls, "ModelReady", name="sentiment", version="1")).ready
    assert not (await ask(calls, "ModelReady", name="sentiment", version="2")).ready
    assert not (await ask(calls, "ModelReady", name="other")).ready
    # probes have no line in the log
    assert calls.served.lines() == []


async def test_before_serving_the_server_is_not_ready(calling):
    calls = await calling(opened=False)
    assert (await ask(calls, "ServerLive")).live
    assert not (await ask(calls, "ServerReady")).ready
    error = await calls.refused("ModelReady", MESSAGES["ModelReadyRequest"](name="sentiment"))
    assert error.code() is StatusCode.UNAVAILABLE
    assert dict(error.trailing_metadata())["retry-after"] == "1"


async def test_the_metadata_are_those_of_http(calling):
    calls = await calling()
    server = await ask(calls, "ServerMetadata")
    assert (server.name, server.version) == ("valence", VERSION)
    model = await ask(calls, "ModelMetadata", name="sentiment")
    over_http = (await calls.served.client.get("/v2/models/sentiment")).json()
    for side in ("inputs", "outputs"):
        assert [
            {"name": one.name, "datatype": one.datatype, "shape": list(one.shape)}
            for one in getattr(model, side)
        ] == over_http[side]
    assert list(model.versions) == over_http["versions"]
    assert model.platform == over_http["platform"]


async def test_statistics_count_what_came_over_both_ports(calling):
    calls = await calling()
    await calls.infer(["good", "bad"])
    await calls.served.classify(text="movie")
    (one,) = (await ask(calls, "ModelStatistics", name="sentiment")).model_stats
    assert (one.name, one.version, one.inference_count) == ("sentiment", "1", 3)
    assert one.inference_stats.success.count == 2
    assert len((await ask(calls, "ModelStatistics")).model_stats) == 1


async def test_without_keys_nobody_loads_models(calling):
    calls = await calling()
    for name in ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"):
        error = await calls.refused(name)
        assert error.code() is StatusCode.PERMISSION_DENIED
        assert "VALENCE_API_KEYS_FILE" in error.details()


async def test_a_method_that_is_not_there_is_unimplemented(calling):
    calls = await calling()
    error = await calls.refused("ModelConfig", MESSAGES["ModelReadyRequest"](name="sentiment"))
    assert error.code() is StatusCode.UNIMPLEMENTED
