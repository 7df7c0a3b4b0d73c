"""``GET /v1/sample``: texts of clients, for those who label and for nobody else."""

from __future__ import annotations

import pytest
from valence.service.keys.key import fingerprint
from valence.service.sampling.store import SampleStore

from tests.service.sampling.conftest import make_sample
from tests.support.feedback_databases import feedback_settings

SECRET = "valence_the-secret-of-alice"


@pytest.fixture
def settings(tmp_path):
    """Settings with a sample of three texts and a key that may read it."""
    path = tmp_path / "feedback.db"
    found = feedback_settings(path, sample_texts=30)
    store = SampleStore.open(str(path))
    store.keep([make_sample(1), make_sample(2), make_sample(3, model="topic")], most=10)
    store.close()
    (tmp_path / "keys").write_text(
        f"alice: sha256:{fingerprint(SECRET.encode()).hex()} scopes=label\n"
        f"bob: sha256:{fingerprint(b'of-bob').hex()} scopes=classify,feedback,metrics\n"
    )
    return found | {"api_keys_file": str(tmp_path / "keys")}


async def ask(served, query="", secret=SECRET):
    return await served.client.get(f"/v1/sample{query}", headers={"X-API-Key": secret})


async def test_the_newest_texts_are_listed(serve, settings):
    served = serve(**settings)
    texts = (await ask(served)).json()["texts"]
    assert [one["id"] for one in texts] == ["id-3", "id-2", "id-1"]
    assert texts[1] == {
        "id": "id-2",
        "model": "sentiment",
        "version": "1",
        "text": "text 2",
        "predicted": ["positive"],
        "score": 0.5,
        "reason": "uncertain",
    }
    assert len((await ask(served, "?model=sentiment&limit=1")).json()["texts"]) == 1
    assert (await ask(served, "?limit=0")).status_code == 422


async def test_only_keys_that_may_label_read_texts(serve, settings):
    served = serve(**settings)
    assert (await ask(served, secret="of-bob")).status_code == 403
    assert (await ask(served, secret="nobody")).status_code == 401
    anonymous = serve(**{**settings, "api_keys_file": ""})
    answer = await anonymous.client.get("/v1/sample")
    assert answer.status_code == 403
    assert "--scope label" in answer.json()["detail"]


async def test_without_the_setting_no_text_is_listed(serve, settings):
    answer = await ask(serve(**{**settings, "sample_texts": 0}))
    assert answer.status_code == 404
    assert "VALENCE_SAMPLE_TEXTS" in answer.json()["detail"]


async def test_a_database_that_fails_is_503(serve, settings, tmp_path):
    served = serve(**{**settings, "feedback_database": str(tmp_path / "none" / "a.db")})
    assert (await ask(served)).status_code == 503
    assert [line for line in served.lines() if line.get("event") == "sample not read"]


async def test_the_models_tell_that_texts_are_kept(serve, settings):
    settings = {**settings, "api_keys_file": ""}
    for days, told in ((30.0, 30.0), (0.0, None)):
        served = serve(**settings, sample_days=days)
        (card,) = (await served.client.get("/v1/models")).json()["models"]
        assert card["sampling"] == {"max_texts": 30, "days": told}
    (card,) = (await serve().client.get("/v1/models")).json()["models"]
    assert card["sampling"] is None
