"""Traces: what a collector is sent over HTTP, and what it is not."""

import builtins
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fairgate.domain.errors import BadSettings
from fairgate.monitor.traces import NO_TRACE, NoTraces
from fairgate.wiring import traces_from

MAIL = "anna@example.com"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FOLLOWED, NOT_FOLLOWED = (f"00-{TRACE}-{CALLER}-{flag}".encode() for flag in ("01", "00"))


class Collector(HTTPServer):
    """Takes OTLP over HTTP and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.bodies: list[bytes] = []
        self.endpoint = f"http://127.0.0.1:{self.server_port}/v1/traces"

    @property
    def sent(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for each in self.sent
            for part in each.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    def span(self, name: str) -> Span:
        [found] = [span for span in self.spans if span.name == name]
        return found


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def follow(
    endpoint: str, requests: Sequence[Mapping[str, bytes | None]], share: float = 1.0, status: int = 200
) -> None:
    """Answer requests as the door does."""
    with traces_from(endpoint, share) as traces:
        for each in requests:
            trace = traces.request("/v1/decide", each.get("traceparent"))
            with trace.part("decide", 3):
                pass
            with trace.part("commit"):
                pass
            trace.end(status)


def test_a_request_and_its_parts_reach_the_collector(collector: Collector) -> None:
    follow(collector.endpoint, [{}])
    request, decide, commit = (collector.span(name) for name in ("/v1/decide", "decide", "commit"))
    assert len(collector.spans) == 3
    assert {span.trace_id for span in collector.spans} == {request.trace_id}
    assert request.parent_span_id == b""
    assert {decide.parent_span_id, commit.parent_span_id} == {request.span_id}
    assert attributes(request) == {"http.route": "/v1/decide", "http.response.status_code": 200}
    assert attributes(decide) == {"fairgate.events": 3}
    assert attributes(commit) == {}
    assert request.kind == Span.SPAN_KIND_SERVER
    resource = {each.key: each.value.string_value for each in collector.sent[0].resource_spans[0].resource.attributes}
    assert resource.keys() == {"service.name", "service.version"}


def test_the_callers_trace_is_gone_on_with(collector: Collector) -> None:
    follow(collector.endpoint, [{"traceparent": FOLLOWED}, {"traceparent": NOT_FOLLOWED}, {}], share=0.0)
    request = collector.span("/v1/decide")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert len(collector.spans) == 3, "only the request whose caller follows it"


@pytest.mark.parametrize(
    "header", [b"", b"00-zz", MAIL.encode(), b"\xff" * 55, b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01"]
)
def test_a_header_that_names_no_trace_begins_a_new_one(collector: Collector, header: bytes) -> None:
    follow(collector.endpoint, [{"traceparent": header}])
    request = collector.span("/v1/decide")
    assert request.parent_span_id == b""
    assert MAIL.encode() not in collector.bodies[0]


def test_an_error_is_marked_and_goes_on_without_its_words(collector: Collector) -> None:
    with traces_from(collector.endpoint, 1.0) as traces:
        trace = traces.request("/v1/decide", None)
        with pytest.raises(ValueError, match=MAIL), trace.part("decide", 1):
            raise ValueError(MAIL)
        trace.end(500)
    assert {span.name: span.status.code for span in collector.spans} == {
        "/v1/decide": Status.STATUS_CODE_ERROR,
        "decide": Status.STATUS_CODE_ERROR,
    }
    assert all(not span.events and not span.status.message for span in collector.spans)
    assert all(MAIL.encode() not in body for body in collector.bodies)


def test_a_client_that_errs_is_no_error_of_the_door(collector: Collector) -> None:
    follow(collector.endpoint, [{}], status=422)
    assert collector.span("/v1/decide").status.code == Status.STATUS_CODE_UNSET


def test_of_many_requests_a_share_is_followed(collector: Collector) -> None:
    follow(collector.endpoint, [{}] * 400, share=0.25)
    assert 40 < len(collector.spans) // 3 < 180


def test_without_an_endpoint_nothing_is_followed() -> None:
    with traces_from(None) as traces:
        assert isinstance(traces, NoTraces)
        trace = traces.request("/v1/decide", FOLLOWED)
        assert trace is NO_TRACE
        with pytest.raises(ValueError, match="it goes on"), trace.part("decide", 1):
            raise ValueError("it goes on")
        trace.end(200)


def test_an_endpoint_that_is_none_is_told() -> None:
    with pytest.raises(BadSettings, match="must be a URL"), traces_from("collector:4318"):
        pass


def test_without_opentelemetry_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object) -> object:
        if name == "fairgate.monitor.otlp":
            raise ModuleNotFoundError(name="opentelemetry")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BadSettings, match=r"pip install 'fairgate\[otel\]'"):
        traces_from("http://127.0.0.1:4318/v1/traces")
