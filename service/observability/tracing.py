"""Traces: W3C trace context in and out, and OpenTelemetry spans when someone collects them.

Without an OTLP endpoint in the environment nothing of OpenTelemetry is imported, and a request
that brings no ``traceparent`` pays nothing. With one, a request is a span with a child for each
stage, made after the answer from times that are taken anyway. No span holds a text.
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

# https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags; a later version may
# append fields, and ff is no version
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SAMPLED = 1


class TraceContext(NamedTuple):
    """Where a request stands in a trace."""

    trace_id: str
    span_id: str
    flags: int

    @property
    def header(self) -> bytes:
        """As ``traceparent`` writes it."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()


def parse(header: bytes) -> TraceContext | None:
    """The context in a ``traceparent`` header, or None for one that the standard says to ignore."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None or (match[1] == b"00" and match[5]):
        return None
    trace_id, span_id = match[2].decode(), match[3].decode()
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, int(match[4], 16) & _SAMPLED)


def below(parent: TraceContext) -> TraceContext:
    """A new span's context under ``parent``, for an answer that no span is recorded of."""
    return parent._replace(span_id=os.urandom(8).hex())


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether ``environment`` names a collector, as the OpenTelemetry specification says it."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(environment.get(name) for name in _ENDPOINTS)


class Tracer:
    """Exports spans over OTLP to where the environment says, from a thread of its own.

    Endpoint, headers, sampler and resource are OpenTelemetry's own ``OTEL_*`` variables; the
    service's name is ``valence`` unless they give another. Raises :class:`ConfigurationError` when
    the exporter is not installed.
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
                f"{' or '.join(_ENDPOINTS)} asks for traces, which need {error.name}: "
                "pip install valence, or unset the variable"
            ) from None
        defaults = {"service.name": "valence", "valence.service.version": VERSION}
        name = os.environ.get("OTEL_SERVICE_NAME")
        resource = Resource.create({**defaults, "service.name": name} if name else defaults)
        self._provider: TracerProvider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("valence", VERSION)
        self._trace = trace

    def start(self, parent: TraceContext | None, *, method: str) -> Span:
        """The span of a request that has just begun, under ``parent`` if it came with one."""
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

    def finish(
        self,
        span: Span,
        *,
        method: str,
        route: str,
        status: int,
        model: str,
        texts: int,
        tokens: int,
        stages: Mapping[str, float] | None,
    ) -> None:
        """End a request's span.

        ``stages``, names and seconds in order, become children that follow one another up to now.
        """
        ended = time.time_ns()
        if span.is_recording():
            attributes: dict[str, Any] = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
            if model:
                attributes |= {
                    "valence.model": model,
                    "valence.texts": texts,
                    "valence.tokens": tokens,
                }
            span.update_name(f"{method} {route}")
            span.set_attributes(attributes)
            if status >= 500:
                span.set_status(self._trace.StatusCode.ERROR)
            if stages is not None:
                self._children(span, stages, ended=ended)
        span.end(end_time=ended)

    def _children(self, span: Span, stages: Mapping[str, float], *, ended: int) -> None:
        context = self._trace.set_span_in_context(span)
        position = ended - int(sum(stages.values()) * 1e9)
        for name, seconds in stages.items():
            child = self._tracer.start_span(name, context=context, start_time=position)
            position += int(seconds * 1e9)
            child.end(end_time=position)

    def close(self) -> None:
        """Export what is left and end the thread."""
        self._provider.shutdown()


def context_of(span: Span) -> TraceContext:
    """The context that the answer to a request with ``span`` carries."""
    own = span.get_span_context()
    return TraceContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", int(own.trace_flags))
