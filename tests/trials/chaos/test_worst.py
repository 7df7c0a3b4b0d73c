import json

from valence.service.api.application import ROUTES
from valence.service.api.v1.examples import LIMITS
from valence.service.classifier.truncation import TRUNCATIONS

from tests.trials.chaos import worst
from tests.trials.chaos.worst_requests import list_cases

SMALL = LIMITS | {"max_characters": 4_000, "max_texts": 64, "max_body_bytes": 65_536}
EVERY = list_cases(SMALL, ["sentiment", "topic"])
# faulty bodies are JSON that json.loads may be unable to read
CASES = [case for case in EVERY if not case.name.endswith("faulty")]
# these share the handler of /predict, or read no texts
SAME = {"/", "/v1/feedback", "/v1/models/{name}/reload"}
NO_TEXTS = ("/v2/repository/", "/label-studio/setup", "/label-studio/{name}/setup")


def test_every_route_that_reads_texts_is_tried():
    paths = {case.path.partition("?")[0] for case in CASES}
    for route in ROUTES:
        if route.path in SAME or route.path.startswith(NO_TEXTS) or "version" in route.path:
            continue
        if route.method == "POST":
            assert paths & {route.path.format(name=name) for name in ("sentiment", "topic")}, route


def test_every_combination_of_options_is_tried():
    tried = set()
    for case in CASES:
        if case.path == "/v1/classify":
            asked = json.loads(case.make_body())
            options = ("truncation", "granularity", "explain", "top_k", "model")
            tried.add(tuple(asked.get(option) for option in options))
    # the first two requests name neither truncation nor model
    tried = {one for one in tried if None not in (one[0], one[4])}
    assert len(tried) == len(TRUNCATIONS) * 2 * 2 * 2 * 2


def test_requests_are_within_the_limits_on_bodies():
    """A larger body would be refused unread, and show nothing."""
    sizes = [len(case.make_body()) for case in EVERY[2:]]
    assert max(sizes) <= SMALL["max_body_bytes"]
    assert max(sizes) > 0.6 * SMALL["max_body_bytes"]
    assert len({case.name for case in EVERY}) == len(EVERY)


def test_each_worker_has_the_limit_of_the_shipped_deployment(monkeypatch):
    monkeypatch.setenv("VALENCE_WORKERS", "1")
    assert worst.read_memory_limit() == 552 * 2**20
    monkeypatch.setenv("VALENCE_WORKERS", "3")
    assert worst.read_memory_limit() == 3 * 552 * 2**20
