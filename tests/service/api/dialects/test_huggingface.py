import pytest

# one token more than the model reads
TOO_LONG = "good bad " + "the " * 48 + "movie"


async def predict(served, path="/predict", **body):
    return await served.client.post(path, json=body)


async def test_one_text_gets_a_flat_list_and_a_batch_gets_lists(served):
    one = (await predict(served, inputs="good movie")).json()
    assert [item["label"] for item in one] == ["negative", "positive", "neutral"]
    assert (await predict(served, inputs=[["good movie"]])).json() == [one]
    both = (await predict(served, inputs=[["bad"], ["good movie"]])).json()
    assert both[1] == one


async def test_a_list_of_one_string_is_one_text(served):
    one = (await predict(served, inputs="good movie")).json()
    assert (await predict(served, inputs=["good movie"])).json() == one
    assert (await predict(served, inputs=["good movie"], parameters={})).json() == [one]


async def test_with_parameters_one_text_gets_a_list_of_lists(served):
    one = (await predict(served, inputs="good movie")).json()
    for parameters in ({}, {"top_k": None}, {"function_to_apply": "softmax"}):
        assert (await predict(served, inputs="good movie", parameters=parameters)).json() == [one]


@pytest.mark.parametrize(("top_k", "kept"), [(1, 1), (3, 3), (4, 3)])
async def test_top_k_keeps_the_likeliest(served, top_k, kept):
    (row,) = (await predict(served, inputs="good", parameters={"top_k": top_k})).json()
    assert row == (await predict(served, inputs="good")).json()[:kept]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["a", "b"], '[["first text"], ["second text"]]'),
        (["a", "b", "c"], "a list of 3 items that begins with a string is neither a pair"),
        (["a", 1], "neither a pair nor a batch"),
        ([["a", "b"]], "item 0 has 2 texts"),
        ([["a"], []], "item 1 has 0 texts"),
        ([["a"], [1]], "item 1 is not a list of one text"),
        ([["a"], "b"], "item 1 is not a list of one text"),
        ([], "give a string, or a batch"),
        (1, "give a string, or a batch"),
        (None, "give a string, or a batch"),
    ],
)
async def test_pairs_and_other_shapes_are_refused_with_a_remedy(served, inputs, said):
    """The error says how to send a batch."""
    response = await predict(served, inputs=inputs)
    assert response.status_code == 422
    assert said in response.json()["error"]
    assert response.json()["error_type"] == "Validation"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"raw_scores": True}, "raw_scores"),
        ({"parameters": {"function_to_apply": "none"}}, "parameters.function_to_apply"),
        ({"parameters": {"function_to_apply": "sigmoid"}}, "parameters.function_to_apply"),
        ({"parameters": {"function_to_apply": "relu"}}, "parameters.function_to_apply"),
        ({"parameters": {"top_k": 0}}, "parameters.top_k"),
        ({"parameters": {"top_k": True}}, "parameters.top_k"),
        ({"parameters": {"max_length": 3}}, "parameters.max_length"),
        ({"truncation_direction": "LEFT"}, "truncation_direction"),
        ({"truncate": "no"}, "truncate"),
        ({"prompt_name": "x"}, "prompt_name"),
    ],
)
async def test_unsupported_and_unknown_fields_are_refused(served, body, field):
    response = await predict(served, inputs="good", **body)
    assert response.status_code == 422
    assert response.json()["error"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("options", "as_native"),
    [
        ({}, "head"),
        ({"truncate": True}, "head"),
        ({"truncate": True, "truncation_direction": "Right"}, "head"),
        ({"truncation_direction": "Left"}, "tail"),
        ({"truncation_direction": "left"}, "tail"),
        ({"truncation_direction": "right"}, "head"),
        ({"parameters": {"truncation": True}}, "head"),
        ({"truncate": True, "parameters": {"truncation": False}}, "head"),
    ],
)
async def test_a_long_text_is_cut_at_the_named_end(served, options, as_native):
    answer = (await predict(served, inputs=[[TOO_LONG]], **options)).json()
    native = (await served.classify(text=TOO_LONG, truncation=as_native)).json()
    assert [{k: item[k] for k in ("label", "score")} for item in answer[0]] == native["results"][0][
        "scores"
    ]


@pytest.mark.parametrize("options", [{"truncate": False}, {"parameters": {"truncation": False}}])
async def test_a_long_text_is_an_error_if_truncation_is_off(served, options):
    assert (await predict(served, inputs="good " * 50, **options)).status_code == 200
    response = await predict(served, inputs="good " * 51, **options)
    assert response.status_code == 422
    assert "51 tokens" in response.json()["error"]


async def test_headers_report_what_was_computed(served):
    headers = (await predict(served, inputs=[["good movie"], ["unheard of"]])).headers
    assert headers["x-compute-type"] == "cpu"
    assert headers["x-compute-characters"] == "20"
    assert headers["x-compute-tokens"] == "4"
    assert headers["x-compute-time"] == headers["x-total-time"]
    assert int(headers["x-total-time"]) >= 0


async def test_a_model_is_chosen_by_path(served):
    for path in ("/", "/predict", "/models/sentiment", "/models/sentiment:1"):
        assert (await predict(served, path, inputs="good")).status_code == 200
    response = await predict(served, "/models/other", inputs="good")
    assert response.status_code == 404
    assert "sentiment:1" in response.json()["error"]


async def test_info_lists_labels_and_limits(serve):
    client = serve(max_texts=7, queue_items=9).client
    info = (await client.get("/info")).json()
    assert info["model_id"] == "sentiment"
    assert info["model_type"]["classifier"]["label2id"] == {
        "negative": 0,
        "neutral": 1,
        "positive": 2,
    }
    assert info["max_client_batch_size"] == 7
    assert info["max_concurrent_requests"] == 9
    assert info["max_input_length"] == 50
    assert info["limits"] == (await client.get("/v1/models/sentiment")).json()["limits"]


@pytest.mark.parametrize("path", ["/health", "/ping"])
async def test_health_is_empty_when_ready_and_503_before(serve, path):
    response = await serve().client.get(path)
    assert (response.status_code, response.content) == (200, b"")
    response = await serve(opened=False).client.get(path)
    assert (response.status_code, response.json()["error_type"]) == (503, "Unhealthy")
    assert (await serve(opened=False).client.get("/info")).status_code == 503


async def test_a_large_batch_keeps_its_order(served):
    texts = ["good", "bad", "movie"] * 100
    rows = (await predict(served, inputs=[[text] for text in texts])).json()
    assert [row[0]["label"] for row in rows] == ["negative", "neutral", "positive"] * 100
