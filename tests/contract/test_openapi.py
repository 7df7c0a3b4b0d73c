"""The contract of the API: every change of it shows as a change of ``openapi.json``.

To accept a change, run ``python -m tests.contract.test_openapi``.
"""

import json
from pathlib import Path

import pytest
from valence.service.api.application import ROUTES
from valence.service.api.http.problems import UNEXPECTED, Problem
from valence.service.api.operations import openapi
from valence.service.settings import Settings

SNAPSHOT = Path(__file__).parent / "openapi.json"


def document() -> dict:
    return openapi.build_document(ROUTES, Settings())


def test_the_document_equals_the_stored_contract():
    assert document() == json.loads(SNAPSHOT.read_text("utf-8")), "see this file's first lines"


def test_every_reference_resolves_and_every_schema_is_used():
    text = json.dumps(document())
    schemas = document()["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(schemas)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_examples_match_their_schemas(route):
    described = document()["paths"][route.path][route.method.lower()]
    operation = route.operation
    if operation.request is not None:
        examples = described["requestBody"]["content"][operation.media_types[0]]["examples"]
        assert examples
        for example in examples.values():
            operation.request.model_validate_json(json.dumps(example["value"]))
    if not isinstance(operation.response, str):
        answer = described["responses"]["200"]["content"][operation.media_types[0]]
        for example in answer.get("examples", {}).values():
            operation.response.model_validate_json(json.dumps(example["value"]), strict=True)
    for status, response in described["responses"].items():
        if status == "200":
            continue
        for media_type, content in response["content"].items():
            for example in content["examples"].values():
                expected = route.refuse(Problem(UNEXPECTED, ""), "").headers[0][1].decode()
                assert media_type == expected
                operation.error.model_validate_json(json.dumps(example["value"]), strict=True)


def test_limits_are_published():
    small = openapi.build_document(ROUTES, Settings(max_texts=7, max_characters=9))
    fields = small["components"]["schemas"]["ClassifyRequest"]["properties"]
    assert fields["texts"]["maxItems"] == 7
    assert fields["text"]["maxLength"] == fields["texts"]["items"]["maxLength"] == 9
    schemas = small["components"]["schemas"]
    assert schemas["ActivationsRequest"]["properties"]["text"]["maxLength"] == 9
    assert schemas["VllmRequest"]["properties"]["inputs"]["anyOf"][0]["maxLength"] == 9
    contents = schemas["ContentsRequest"]["properties"]["contents"]
    assert (contents["maxItems"], contents["items"]["maxLength"]) == (7, 9)
    for name, field in (("PredictRequest", "inputs"), ("VllmRequest", "input")):
        one, several, *alone = schemas[name]["properties"][field]["anyOf"]
        arrays = [form for form in alone if "items" in form]
        assert [form["items"]["maxLength"] for form in arrays] == [9] * (name == "PredictRequest")
        assert (one["maxLength"], several["maxItems"]) == (9, 7)
        assert json.dumps(several).count('"maxLength": 9') == 1
    tensor = schemas["InferInput"]["properties"]["data"]["anyOf"][0]
    text, row = tensor["items"]["anyOf"]
    assert (tensor["maxItems"], text["maxLength"], row["items"]["maxLength"]) == (7, 9, 9)
    bodies = small["paths"]["/invocations"]["post"]["requestBody"]["content"]
    for media_type in ("application/jsonlines", "text/csv"):
        assert "At most 7 lines" in bodies[media_type]["schema"]["description"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_body_has_examples_a_schema_or_is_binary(route):
    """JSON bodies have examples; other bodies have a schema or are binary."""
    described = document()["paths"][route.path][route.method.lower()]
    bodies = [response["content"] for response in described["responses"].values()]
    for body in [
        *bodies,
        *([described["requestBody"]["content"]] if route.operation.request else []),
    ]:
        for media_type, content in body.items():
            if media_type.endswith("json") and route.path != "/openapi.json":
                assert content["examples"]
            elif (line := route.operation.response_line) and "$ref" in content.get("schema", {}):
                line.model_validate_json(json.dumps(content["example"]), strict=True)
            elif "example" in content:
                assert content["schema"]["type"] == "string"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_answer_documents_its_headers(route):
    responses = document()["paths"][route.path][route.method.lower()]["responses"]
    assert "500" in responses
    for status, response in responses.items():
        assert "X-Request-ID" in response["headers"]
        assert ("Retry-After" in response["headers"]) is (status in {"429", "503"})


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(document(), indent=1) + "\n", "utf-8")
