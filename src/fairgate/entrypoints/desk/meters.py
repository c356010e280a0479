"""The desk's metrics, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from fairgate import __version__

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Meters:
    """What is counted and measured, in a registry of its own. Labels are routes, statuses and kinds, never input."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Gauge("fairgate_desk_build_info", "1, for the version.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        self.requests = Counter("fairgate_desk_requests", "Requests answered.", ["route", "status"], registry=registry)
        self.query_seconds = Histogram(
            "fairgate_desk_query_seconds",
            "Seconds from a query's arrival to its answer, waiting included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.queries = Gauge("fairgate_desk_queries", "Queries that run or wait now.", registry=registry)
        self.jobs = Counter("fairgate_desk_jobs", "Jobs ended.", ["kind", "state"], registry=registry)
        self.lake_lag_records = Gauge(
            "fairgate_lake_lag_records", "Records of the log that are not in the lake yet.", registry=registry
        )
        self.lake_lag_seconds = Gauge(
            "fairgate_lake_lag_seconds",
            "Seconds since the lake was last seen to hold all of the log; grows while it doesn't.",
            registry=registry,
        )
        self.upkeep_failures = Counter(
            "fairgate_lake_failures", "Rounds of the lake's upkeep that failed.", registry=registry
        )
        self.upkeep_seconds = Histogram(
            "fairgate_lake_seconds", "Seconds of a round of the lake's upkeep.", buckets=_SECONDS, registry=registry
        )

    def render(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)
