"""The sidecar's metrics, for Prometheus. Labels are pools, reasons, classes and routes: never what callers send."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairgate import __version__
from fairgate.entrypoints.signing import Flaw
from fairgate.share import Reason, Share

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_WAITS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_GAUGES: Final = (
    ("fairgate_share_capacity", "Cost units a second that a pool has now."),
    ("fairgate_share_level", "Cost units that are there now; below zero while more is used than was estimated."),
    ("fairgate_share_in_flight", "Grants that have not ended."),
    ("fairgate_share_waiting", "Requests that wait."),
    ("fairgate_share_waiting_cost", "What those that wait are expected to cost."),
)
_BOUND: Final = ("fairgate_share_bound", "Accounts that decisions hold to a ceiling.")
_USED: Final = (
    "fairgate_share_used",
    "Cost units used since the start, by class; falls where less is used than expected.",
)
OTHER: Final = "other"
#: Why messages are refused whose sender is known, or was not looked at.
FAULTS: Final = ("too_large", "malformed", "unwritable")


class Meters:
    """What is counted and measured, in a registry of its own."""

    def __init__(self, share: Share, routes: Iterable[str]) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Pools(share))
        self._routes = frozenset(routes)
        self.requests = Counter("fairgate_share_requests", "Requests answered.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "fairgate_share_request_seconds",
            "Seconds from a request's arrival, body and waiting included, to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.waits = Histogram(
            "fairgate_share_wait_seconds",
            "Seconds that a granted request waited for it.",
            buckets=_WAITS,
            registry=registry,
        )
        grants = Counter("fairgate_share_grants", "Requests granted.", registry=registry)
        denials = Counter("fairgate_share_denials", "Requests denied.", ["reason"], registry=registry)
        ends = Counter("fairgate_share_ends", "Grants ended by those who have them.", ["how"], registry=registry)
        taken = Counter("fairgate_share_messages", "Messages of webhooks answered 200.", ["what"], registry=registry)
        refused = Counter(
            "fairgate_share_messages_refused", "Messages of webhooks refused.", ["reason"], registry=registry
        )
        self.messages: Mapping[str, Counter] = {each: taken.labels(each) for each in ("applied", "old", "ignored")}
        self.refused: Mapping[str, Counter] = {each: refused.labels(each) for each in (*Flaw, *FAULTS)}
        self.left = Counter(
            "fairgate_share_left", "Requests whose client hung up while they waited.", registry=registry
        )
        self.grants = grants
        self.denials: Mapping[str, Counter] = {reason.value: denials.labels(reason.value) for reason in Reason}
        self.settled, self.aborted = ends.labels("settled"), ends.labels("aborted")
        self._answers: dict[tuple[str, int], Counter] = {}
        self._of_route = {route: self.seconds.labels(route) for route in [*self._routes, OTHER]}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the pattern that it matched."""
        if route not in self._routes:
            route = OTHER
        counter = self._answers.get((route, status))
        if counter is None:
            counter = self._answers[route, status] = self.requests.labels(route, str(status))
        counter.inc()
        self._of_route[route].observe(seconds)

    def render(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)


class _Pools(Collector):
    """What is read from the share itself when somebody asks."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def collect(self) -> Iterator[Metric]:
        """The figures of every pool."""
        build = GaugeMetricFamily("fairgate_share_build_info", "1, for the version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        bound = GaugeMetricFamily(*_BOUND)
        bound.add_metric([], len(self._share.bounds))
        yield bound
        gauges = [GaugeMetricFamily(name, about, labels=["pool"]) for name, about in _GAUGES]
        used = GaugeMetricFamily(*_USED, labels=["pool", "class"])
        for name, stock in self._share.stocks.items():
            values = (stock.capacity, stock.level, len(stock.grants), len(stock.queued), stock.waiting_cost)
            for gauge, value in zip(gauges, values, strict=True):
                gauge.add_metric([name], value)
            for word, node in stock.tree.classes.items():
                used.add_metric([name, word], node.used)
        yield from gauges
        yield used
