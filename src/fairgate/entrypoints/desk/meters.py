"""The desk's metrics, for Prometheus."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairgate import __version__
from fairgate.domain.bulk import GOING
from fairgate.entrypoints.desk.records import RecordsReading

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_CHALLENGE_SECONDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000)


class _OfRecords(Collector):
    """What was read of the clerk's records last: made anew each time, so that no receiver stays that is gone."""

    def __init__(self) -> None:
        self.reading: RecordsReading | None = None
        self.hours_behind: float | None = None

    def collect(self) -> Iterator[Metric]:
        """What is known; nothing where there are no records."""
        read = self.reading
        if self.hours_behind is not None:
            about = "Hours of the whole team that the review queue is expected to be behind in a week."
            yield GaugeMetricFamily("fairgate_backlog_hours", about, self.hours_behind)
        if read is None:
            return
        yield GaugeMetricFamily("fairgate_records_up", "1 while the clerk's records can be read, else 0.", read.up)
        if read.behind is not None:
            about = "Records of the log that the clerk has not taken in yet."
            yield GaugeMetricFamily("fairgate_records_lag_records", about, read.behind)
        waiting = GaugeMetricFamily("fairgate_webhook_waiting", "Messages that wait.", labels=["receiver"])
        oldest = GaugeMetricFamily(
            "fairgate_webhook_oldest_seconds",
            "Seconds since the oldest message that waits was made; 0 where none waits.",
            labels=["receiver"],
        )
        dead = GaugeMetricFamily("fairgate_webhook_dead", "Messages that were put aside.", labels=["receiver"])
        for each in read.backlogs:
            waiting.add_metric([each.receiver], each.waiting)
            oldest.add_metric([each.receiver], read.oldest[each.receiver])
            dead.add_metric([each.receiver], each.dead)
        yield from (waiting, oldest, dead)
        if read.up:  # else nobody knows
            yield GaugeMetricFamily("fairgate_appeals_open", "Appeals that nobody has decided.", read.appeals.open)
            yield GaugeMetricFamily(
                "fairgate_appeals_overdue", "Those among them that should have been.", read.appeals.overdue
            )
            about = "Challenges that have ended, and of which the door does not know yet."
            yield GaugeMetricFamily("fairgate_challenges_untold", about, read.untold)
            bulks = GaugeMetricFamily("fairgate_bulks", "Bulk actions that are at work.", labels=["state"])
            for state in sorted(GOING):
                bulks.add_metric([state.value], sum(each == state for each in read.bulks))
            yield bulks


class Meters:
    """What is counted and measured, in a registry of its own.

    Labels are routes, statuses, outcomes, and kinds and receivers that the settings have or had; never input.
    """

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

        self.memory_waiting = Gauge(
            "fairgate_ban_memory_waiting", "Bans whose accounts were not looked up yet, up to 100.", registry=registry
        )
        self.memory_tokens = Gauge("fairgate_ban_memory_tokens", "Identifiers that are remembered.", registry=registry)
        self.memory_actions = Counter("fairgate_ban_memory_actions", "Bans that were looked up.", registry=registry)
        self.memory_failures = Counter(
            "fairgate_ban_memory_failures", "Times that bans could not be looked up or remembered.", registry=registry
        )
        self.challenges = Counter(
            "fairgate_challenges",
            "Challenges, by what became of them, and answers to them that were none.",
            ["kind", "outcome"],
            registry=registry,
        )
        self.challenge_seconds = Histogram(
            "fairgate_challenge_seconds",
            "Seconds from a challenge to its right answer.",
            ["kind"],
            buckets=_CHALLENGE_SECONDS,
            registry=registry,
        )
        self._of_records = _OfRecords()
        registry.register(self._of_records)

    def tell(self, reading: RecordsReading | None, hours_behind: float | None = None) -> None:
        """What is known of the clerk's records now, and how far review is expected to be behind."""
        self._of_records.reading = reading
        self._of_records.hours_behind = hours_behind

    def render(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)
