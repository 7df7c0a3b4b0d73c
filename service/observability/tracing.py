"""Traces: W3C trace context in and out, and OpenTelemetry spans if there is a collector.

Without an OTLP endpoint in the environment nothing of OpenTelemetry is imported, and a request
without a ``traceparent`` header takes no extra time. With an endpoint, each request becomes a span
with a child for each stage. The children are made after the answer, from times that are measured in
any case. No span contains a text.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from valence.service.errors import ConfigurationError
from valence.service.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span
    from valence.service.observability.request_record import RequestRecord

# https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags. A later version may
# append fields, and version ff is invalid.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """The position of a request in a trace."""

    trace_id: str
    span_id: str
    flags: int

    @property
    def header(self) -> bytes:
        """The value of the header ``traceparent``."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()


def parse(header: bytes) -> TraceContext | None:
    """The context in a ``traceparent`` header; None for a value that the standard ignores."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None or (match[1] == b"00" and match[5]):
        return None
    trace_id, span_id = match[2].decode(), match[3].decode()
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, int(match[4], 16) & _SAMPLED)


def child_context(parent: TraceContext) -> TraceContext:
    """The context of a new span under ``parent``, for an answer without a recorded span."""
    return parent._replace(span_id=os.urandom(8).hex())


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Whether ``environment`` names a collector, by the OpenTelemetry specification."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(environment.get(name) for name in _ENDPOINTS)


class Tracer:
    """Exports spans over OTLP, in its own thread, to the collector that the environment names.

    OpenTelemetry's ``OTEL_*`` variables set endpoint, headers, sampler and resource. The name of
    the service is ``valence`` if they set none. Raises :class:`ConfigurationError` if the exporter
    is not installed.
    """

    def __init__(self) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{' or '.join(_ENDPOINTS)} turns on traces, which need {error.name}: "
                "pip install valence, or unset the variable"
            ) from None
        defaults = {"service.name": "valence", "service.version": VERSION}
        name = os.environ.get("OTEL_SERVICE_NAME")
        resource = Resource.create({**defaults, "service.name": name} if name else defaults)
        self._provider: TracerProvider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("valence", VERSION)
        self._trace = trace

    def start(self, parent: TraceContext | None, *, method: str) -> Span:
        """Start the span of a request, under ``parent`` if the request came with a context."""
        trace = self._trace
        context = None
        if parent is not None:
            remote = trace.SpanContext(
                int(parent.trace_id, 16),
                int(parent.span_id, 16),
                is_remote=True,
                trace_flags=trace.TraceFlags(parent.flags),
            )
            context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
        return self._tracer.start_span(method, context=context, kind=trace.SpanKind.SERVER)

    def finish(self, span: Span, record: RequestRecord) -> None:
        """End the span of a request.

        The stages of ``record`` become children that follow one another and end now.
        """
        ended = time.time_ns()
        if span.is_recording():
            attributes: dict[str, Any] = {
                "http.request.method": record.method,
                "http.route": record.route,
                "http.response.status_code": record.status,
            }
            if record.model:
                attributes |= {
                    "valence.model": record.model,
                    "valence.texts": record.texts,
                    "valence.tokens": record.tokens,
                }
            span.update_name(f"{record.method} {record.route}")
            span.set_attributes(attributes)
            if record.status >= 500:
                span.set_status(self._trace.StatusCode.ERROR)
            if record.stages is not None:
                self._add_children(span, record.stages, ended=ended)
        span.end(end_time=ended)

    def _add_children(self, span: Span, stages: Mapping[str, float], *, ended: int) -> None:
        context = self._trace.set_span_in_context(span)
        position = ended - int(sum(stages.values()) * 1e9)
        for name, seconds in stages.items():
            child = self._tracer.start_span(name, context=context, start_time=position)
            position += int(seconds * 1e9)
            child.end(end_time=position)

    def close(self) -> None:
        """Export the remaining spans and end the thread."""
        self._provider.shutdown()


def span_context(span: Span) -> TraceContext:
    """The context of ``span``, for the answer to its request."""
    own = span.get_span_context()
    return TraceContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", int(own.trace_flags))
