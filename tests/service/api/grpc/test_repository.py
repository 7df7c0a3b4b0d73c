"""The model repository over gRPC, as Triton's clients and as KServe's ask."""

import pytest
from grpc import StatusCode
from valence.service.api.grpc.messages import MESSAGES
from valence.service.keys.key import fingerprint

from tests.support.model_stores import models_in, put_model

# for BentoML's own imports
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
OPERATOR = (("authorization", "Bearer of-operator"),)


@pytest.fixture
async def calls(calling, tmp_path):
    """Yield calls to a server with a store of two versions, of which the first is served."""
    keys = tmp_path / "keys"
    keys.write_text(
        "".join(
            f"{name}: sha256:{fingerprint(f'of-{name}'.encode()).hex()} scopes={scope}\n"
            for name, scope in (("operator", "admin"), ("client", "classify"))
        )
    )
    with models_in(tmp_path / "models"):
        put_model("sentiment", "1")
        put_model("sentiment", "2", seed=2)
        yield await calling(api_keys_file=str(keys), reload_slowdown=1e6)


async def change(calls, deed, **fields):
    message = MESSAGES["RepositoryModelRequest"](**fields)
    content, _ = await calls.call(f"RepositoryModel{deed}", message, metadata=OPERATOR)
    return MESSAGES[f"RepositoryModel{deed}Response"].FromString(content)


async def index(calls, **fields):
    message = MESSAGES["RepositoryIndexRequest"](**fields)
    content, _ = await calls.call("RepositoryIndex", message, metadata=OPERATOR)
    models = MESSAGES["RepositoryIndexResponse"].FromString(content).models
    return [(one.name, one.version, one.state) for one in models]


# Triton's field is the second, KServe's the first
@pytest.mark.parametrize("field", ["model_name", "repository_name"])
async def test_a_version_is_loaded_and_unloaded(calls, field):
    assert await index(calls) == [
        ("sentiment", "1", "READY"),
        ("sentiment", "2", "UNAVAILABLE"),
    ]
    loaded = await change(calls, "Load", **{field: "sentiment:2"})
    assert (loaded.model_name, loaded.isLoaded) == ("sentiment", True)
    assert await index(calls, ready=True) == [
        ("sentiment", "1", "READY"),
        ("sentiment", "2", "READY"),
    ]
    parameters = {"unload_dependents": {"bool_param": False}}
    unloaded = await change(calls, "Unload", **{field: "sentiment:2"}, parameters=parameters)
    assert (unloaded.model_name, unloaded.isUnloaded) == ("sentiment", True)
    assert await index(calls, ready=True) == [("sentiment", "1", "READY")]


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({}, StatusCode.INVALID_ARGUMENT, "model_name: is missing"),
        ({"model_name": "sentiment:9"}, StatusCode.NOT_FOUND, "sentiment:9"),
        (
            {"model_name": "sentiment", "parameters": {"config": {"string_param": "{}"}}},
            StatusCode.INVALID_ARGUMENT,
            "parameters.config",
        ),
    ],
)
async def test_a_wrong_load_is_refused_with_the_remedy(calls, fields, code, said):
    message = MESSAGES["RepositoryModelRequest"](**fields)
    error = await calls.refused("RepositoryModelLoad", message, metadata=OPERATOR)
    assert error.code() is code
    assert said in error.details()


async def test_a_key_without_the_scope_changes_nothing(calls):
    client = (("authorization", "Bearer of-client"),)
    for name in ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"):
        error = await calls.refused(name, metadata=client)
        assert error.code() is StatusCode.PERMISSION_DENIED
        assert "admin" in error.details()
