"""The door's metrics, for Prometheus.

Numbers are kept in plain tables on the thread that decides, and become metrics only when somebody asks. Nothing that
comes from outside becomes a label: a value that wasn't declared is counted as `other`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, product
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from fairgate import __version__
from fairgate.domain.action import Action
from fairgate.domain.event import Decision, Refusal
from fairgate.domain.pack import Pack
from fairgate.monitor.metric_list import (
    BUILD,
    COMMIT_EVENTS,
    COMMIT_SECONDS,
    DECISIONS,
    DEGRADED,
    EVENTS,
    FALLBACK,
    FALLBACKS,
    LEFT_OUT,
    METRICS,
    OTHER,
    REFUSALS,
    REFUSED,
    REPEATS,
    REQUEST_SECONDS,
    REQUESTS,
    RULES,
    SECONDS,
    Declared,
    Reading,
)
from fairgate.pipeline.online import Outcome

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class _Histogram:
    """How many values stand at or below each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self) -> tuple[list[tuple[str, float]], float]:
        """The buckets as Prometheus counts them, and the sum."""
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True)), self._sum


_Counts = dict[tuple[str, ...], int]


class DoorMetrics:
    """Counts what the door does. One thread; a request for one event costs about 1 us, one of a batch 0.3 us.

    `routes` and `call_sites` are all that may become labels, as are the types and rules of the live pack.
    """

    def __init__(self, pack: Pack, routes: Iterable[str], call_sites: Iterable[str]) -> None:
        self._routes = frozenset(routes)
        self._call_sites = frozenset([*call_sites, ""])
        self._requests: Counter[tuple[str, int, str]] = Counter()
        self._seconds = {route: _Histogram(SECONDS) for route in [*sorted(self._routes), OTHER]}
        self._fallbacks = _zeros([*sorted(self._call_sites - {""}), OTHER], [*FALLBACKS, OTHER])
        self._refused = _zeros([*REFUSALS, OTHER])
        self._left_out = _zeros([*DEGRADED, OTHER])
        self._repeats = 0
        self._commit_seconds, self._commit_events = _Histogram(SECONDS), _Histogram(EVENTS)
        self._decisions: dict[str, list[int]] = {}
        self._fired: dict[str, list[int]] = {}
        self._process = ProcessCollector(registry=None)
        self.live(pack)

    def live(self, pack: Pack) -> None:
        """Count by the types and rules of this pack from now on; what both packs have is counted on."""
        self._pack = pack.label
        types, rules = [*pack.event_types, OTHER], [*(rule.name for rule in pack.rules), OTHER]
        self._decisions = {name: self._decisions.get(name, [0] * len(Action)) for name in types}
        self._fired = {name: self._fired.get(name, [0, 0]) for name in rules}

    def answered(self, route: str, status: int, seconds: float, call_site: str = "") -> None:
        """A request was answered; `route` is the pattern that it matched."""
        if route not in self._routes:
            route = OTHER
        if call_site not in self._call_sites:
            call_site = OTHER
        self._requests[route, status, call_site] += 1
        self._seconds[route].observe(seconds)

    def fell_back(self, call_site: str, why: str) -> None:
        """A call site's policy answered; `why` is one of `FALLBACKS`."""
        site = call_site if call_site in self._call_sites else OTHER
        self._fallbacks[site or OTHER, why if why in FALLBACKS else OTHER] += 1

    def decided(self, outcomes: Sequence[Outcome]) -> None:
        """These outcomes came of `Pipeline.take`."""
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                self._refused[(outcome.code if outcome.code in REFUSALS else OTHER,)] += 1
            elif outcome.repeated:
                self._repeats += 1
            else:
                decision = outcome.decision
                (self._decisions.get(outcome.type) or self._decisions[OTHER])[decision.action] += 1
                if decision.rules or decision.degraded:
                    self._found(decision)

    def committed(self, events: int, seconds: float) -> None:
        """A commit of the log has made so many events durable."""
        self._commit_events.observe(events)
        self._commit_seconds.observe(seconds)

    def render(self, reading: Reading) -> bytes:
        """All metrics as text of `CONTENT_TYPE`."""
        return generate_latest(_Families([*self._families(reading), *self._process.collect()]))

    def _found(self, decision: Decision) -> None:
        for rule in decision.rules:
            (self._fired.get(rule) or self._fired[OTHER])[rule in decision.silent] += 1
        for text in decision.degraded:
            what = text.partition(":")[0].partition(" ")[0]
            self._left_out[(what if what in DEGRADED else OTHER,)] += 1

    def _families(self, reading: Reading) -> Iterator[Metric]:
        counted = self._counted()
        histograms = self._histograms()
        for declared in METRICS:
            if declared.bounds:
                yield _histogram(declared, histograms[declared.name])
            elif declared.read is None:
                yield _numbers(declared, counted[declared.name])
            elif (value := declared.read(reading)) is not None:
                yield _numbers(declared, {(): value})

    def _counted(self) -> dict[str, Mapping[tuple[str, ...], float]]:
        return {
            BUILD.name: {(__version__, self._pack): 1},
            REQUESTS.name: {(route, str(status), site): n for (route, status, site), n in self._requests.items()},
            FALLBACK.name: self._fallbacks,
            DECISIONS.name: {
                (name, action.word): counts[action] for name, counts in self._decisions.items() for action in Action
            },
            RULES.name: {
                (name, word): n
                for name, counts in self._fired.items()
                for word, n in zip(("false", "true"), counts, strict=True)
            },
            REFUSED.name: self._refused,
            REPEATS.name: {(): self._repeats},
            LEFT_OUT.name: self._left_out,
        }

    def _histograms(self) -> dict[str, Mapping[tuple[str, ...], _Histogram]]:
        return {
            REQUEST_SECONDS.name: {(route,): histogram for route, histogram in self._seconds.items()},
            COMMIT_SECONDS.name: {(): self._commit_seconds},
            COMMIT_EVENTS.name: {(): self._commit_events},
        }


class _Families:
    """What is to be shown, as the library asks for it."""

    def __init__(self, families: list[Metric]) -> None:
        self._given = families

    def collect(self) -> list[Metric]:
        return self._given


def _zeros(*words: Sequence[str]) -> _Counts:
    return dict.fromkeys(product(*words), 0)


def _numbers(declared: Declared, values: Mapping[tuple[str, ...], float]) -> Metric:
    family = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
    metric = family(declared.name, declared.about, labels=declared.labels)
    for labels, value in values.items():
        metric.add_metric(labels, value)
    return metric


def _histogram(declared: Declared, values: Mapping[tuple[str, ...], _Histogram]) -> Metric:
    metric = HistogramMetricFamily(declared.name, declared.about, labels=declared.labels)
    for labels, histogram in values.items():
        buckets, total = histogram.family()
        metric.add_metric(labels, buckets, total)
    return metric
