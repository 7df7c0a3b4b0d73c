from collections.abc import Iterator

import pytest
from valence.service.observability import tracing
from valence.service.observability.request_record import RequestRecord
from valence.service.observability.tracing import TraceContext, Tracer
from valence.service.version import VERSION

from tests.support.otlp import Collector, collecting

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FIELDS = {"model": "sentiment", "texts": 2, "tokens": 9}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        yield collector


def attributes(span) -> dict:
    values = ((item.key, item.value) for item in span.attributes)
    return {key: value.string_value or value.int_value for key, value in values}


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-ff", 1),
        (f"01-{TRACE}-{SPAN}-01-later", 1),
    ],
)
def test_a_traceparent_is_read(header, flags):
    assert tracing.parse(header.encode()) == TraceContext(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-later",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_ignored(header):
    assert tracing.parse(header.encode()) is None


def test_a_child_context_keeps_the_trace_and_gets_its_own_id():
    parent = TraceContext(TRACE, SPAN, 1)
    child = tracing.child_context(parent)
    assert (child.trace_id, child.flags) == (TRACE, 1)
    assert child.span_id != SPAN
    assert tracing.parse(child.header) == child


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_made_only_for_a_collector(environment, wanted):
    assert tracing.is_enabled(environment) is wanted


def test_a_request_arrives_as_a_span_with_its_stages_in_order(collector):
    tracer = Tracer()
    span = tracer.start(TraceContext(TRACE, SPAN, 1), method="POST")
    context = tracing.span_context(span)
    stages = {"tokenize": 0.001, "queue": 0.002, "infer": 0.003}
    tracer.finish(span, RequestRecord("POST", "/v1/classify", 200, 0.1, stages=stages, **FIELDS))
    tracer.close()
    children = {span.name: span for span in collector.spans()}
    root = children.pop("POST /v1/classify")
    assert root.trace_id.hex() == context.trace_id == TRACE
    assert root.span_id.hex() == context.span_id
    assert root.parent_span_id.hex() == SPAN
    assert attributes(root) == {
        "http.request.method": "POST",
        "http.route": "/v1/classify",
        "http.response.status_code": 200,
        "valence.model": "sentiment",
        "valence.texts": 2,
        "valence.tokens": 9,
    }
    assert list(children) == ["tokenize", "queue", "infer"]
    ends = [span.end_time_unix_nano for span in children.values()]
    starts = [span.start_time_unix_nano for span in children.values()]
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(root.end_time_unix_nano, abs=10)
    assert [e - s for s, e in zip(starts, ends, strict=True)] == pytest.approx(
        [1e6, 2e6, 3e6], abs=10
    )
    assert all(child.parent_span_id == root.span_id for child in children.values())


def test_a_failed_request_is_an_error_and_a_refused_one_is_not(collector):
    tracer = Tracer()
    for status in (429, 500):
        span = tracer.start(None, method="GET")
        tracer.finish(span, RequestRecord("GET", "/", status, 0.1))
    tracer.close()
    refused, failed = collector.spans()
    assert refused.status.code == 0
    assert failed.status.code == 2
    assert refused.trace_id != failed.trace_id


def test_a_trace_that_the_caller_did_not_sample_is_not_exported(collector):
    tracer = Tracer()
    span = tracer.start(TraceContext(TRACE, SPAN, 0), method="POST")
    assert tracing.span_context(span).flags == 0
    tracer.finish(span, RequestRecord("POST", "/", 200, 0.1, **FIELDS))
    tracer.close()
    assert collector.spans() == []


def test_the_environment_sets_the_name_of_the_service(collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "reviews")
    tracer = Tracer()
    span = tracer.start(None, method="GET")
    tracer.finish(span, RequestRecord("GET", "/", 200, 0.1, **FIELDS))
    tracer.close()
    (request,) = collector.requests
    resource = {a.key: a.value.string_value for a in request.resource_spans[0].resource.attributes}
    assert resource["service.name"] == "reviews"
    assert resource["service.version"] == VERSION
