import numpy as np
import pytest
import torch
from valence.service.classifier.model import RecurrentClassifier, load_tensors
from valence.service.classifier.tokenizer import tokenize

TEXT = "The movie was very good, \U0001f600 not tiramisu"


async def ask(served, **fields):
    return await served.client.post("/v1/activations", json=fields)


async def test_activations_are_hidden_states_of_the_network(served, tiny_artifact):
    answer = (await ask(served, text=TEXT, units=1024)).json()
    assert answer["model"] == {"name": "sentiment", "version": "1"}
    tokens = tokenize(TEXT)
    assert [(t["start"], t["end"]) for t in answer["tokens"]] == [(t.start, t.end) for t in tokens]
    unknown = {t.surface for t, shown in zip(tokens, answer["tokens"], strict=True)
               if shown["unknown"]}  # fmt: skip
    assert {"tiramisu", "\U0001f600"} <= unknown
    assert not {"movie", "good"} & unknown
    model = RecurrentClassifier(tiny_artifact.manifest.architecture)
    load_tensors(model, {n: torch.from_numpy(v.copy()) for n, v in tiny_artifact.tensors.items()})
    ids = tiny_artifact.vocabulary.encode(TEXT).ids
    with torch.inference_mode():
        words = model.embedding(torch.from_numpy(ids).long())[None]
        states = {
            "forward": model.left_to_right[0](words)[0][0].numpy(),
            "backward": model.right_to_left[0](words.flip(1))[0][0].flip(0).numpy(),
        }
    assert len(answer["units"]) == 2 * tiny_artifact.manifest.architecture.hidden_size
    for unit in answer["units"]:
        expected = states[unit["direction"]][:, unit["unit"]]
        assert np.abs(np.array(unit["activations"]) - expected).max() < 1e-5


async def test_the_most_influential_units_come_first(served):
    """The answer holds as many units as requested."""
    everything = (await ask(served, text=TEXT, units=1024)).json()["units"]
    telling = [unit["telling"] for unit in everything]
    assert telling == sorted(telling, reverse=True)
    assert (await ask(served, text=TEXT, units=3)).json()["units"] == everything[:3]


async def test_a_text_without_words_has_no_activations(served):
    answer = (await ask(served, text=" ")).json()
    assert answer["tokens"] == []
    assert {tuple(unit["activations"]) for unit in answer["units"]} == {()}


async def test_only_tokens_within_the_limit_have_activations(served):
    answer = (await ask(served, text="good " * 60)).json()
    assert len(answer["tokens"]) == 50
    assert all(len(unit["activations"]) == 50 for unit in answer["units"])


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"text": "good", "units": 0}, 422),
        ({"text": "good", "units": 1025}, 422),
        ({"text": "good", "units": 1024}, 200),
        ({"text": "good", "top_k": 1}, 422),
        ({"text": "good", "model": None}, 200),
        ({"text": "good", "model": "nothing"}, 404),
        ({"text": "x" * 11}, 422),
        ({"text": "x" * 10}, 200),
    ],
)
async def test_a_request_of_another_shape_is_refused(serve, fields, status):
    served = serve(max_characters=10)
    assert (await ask(served, **fields)).status_code == status
