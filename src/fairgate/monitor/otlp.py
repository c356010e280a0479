"""Traces by OpenTelemetry, sent by OTLP over HTTP. Needs the extra `fairgate[otel]`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from fairgate import __version__
from fairgate.domain.errors import BadSettings
from fairgate.monitor.traces import NO_TRACE
from fairgate.ports.traces import Part, RequestTrace, Traces

_CALLER = TraceContextTextMapPropagator()
_SERVER_ERROR = 500
#: How long one sending may take, and all that is left at the end.
_SEND_SECONDS = 2.0


@contextmanager
def open_otlp(endpoint: str, share: float) -> Iterator[Traces]:
    """Traces sent to `endpoint`, such as `http://collector:4318/v1/traces`. What is left is sent on leaving.

    Of requests whose caller has no trace of its own `share` (0 to 1) are followed; otherwise as the caller wants it.
    Spans are sent in the background; where the collector is slow or away they are dropped. Raises `BadSettings` where
    the endpoint is none.
    """
    if not endpoint.startswith(("http://", "https://")):
        raise BadSettings("telemetry.otlp_endpoint must be a URL such as http://127.0.0.1:4318/v1/traces.")
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)),
        resource=Resource({"service.name": "fairgate", "service.version": __version__}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_SEND_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield _OtlpTraces(provider.get_tracer("fairgate", __version__))
    finally:
        give_up = threading.Timer(_SEND_SECONDS, exporter.shutdown)  # else it tries each batch again and again
        give_up.start()
        provider.shutdown()
        give_up.cancel()


class _OtlpTraces:
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def request(self, route: str, traceparent: bytes | None) -> RequestTrace:
        # Without `tracestate`: it may hold anything, and would be sent on.
        caller = {} if traceparent is None else {"traceparent": traceparent.decode("latin-1")}
        parent = _CALLER.extract(caller, Context())
        span = self._tracer.start_span(route, parent, SpanKind.SERVER, {"http.route": route})
        return _OtlpTrace(self._tracer, span) if span.is_recording() else NO_TRACE


class _OtlpTrace:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span, Context())

    @contextmanager
    def part(self, name: Part, events: int = 0) -> Iterator[None]:
        attributes = {"fairgate.events": events} if events else {}
        span = self._tracer.start_span(name, self._context, attributes=attributes)
        try:
            yield
        except BaseException:  # its words may repeat what was sent, so only that it happened is told
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def end(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)
        if status >= _SERVER_ERROR:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
