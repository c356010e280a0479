"""What the door's metrics are: name, kind, labels, and where each stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairgate.domain.action import Action
from fairgate.kernel.rows import RowsSize

OTHER: Final = "other"
#: Why a call site's policy answered instead of a decision.
FALLBACKS: Final = ("deadline", "disk", "queue")
#: The codes of refusals.
REFUSALS: Final = ("malformed", "too_large", "unknown_type", "missing", "mistyped", "invalid", "ahead", "late")
#: What was left out of a decision: a rule or a feature that failed.
DEGRADED: Final = ("rule", "feature")
SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
EVENTS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)


@dataclass(frozen=True, slots=True)
class ChildReading:
    """Whether a process runs beside the door, and how often it was started."""

    up: bool
    starts: int


@dataclass(frozen=True, slots=True)
class Beside:
    """The processes beside the door; None for one that it is not to start."""

    desk: ChildReading | None = None
    clerk: ChildReading | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read from the door when somebody asks: sizes, and totals that are counted elsewhere. Ages are seconds."""

    queue_events: int
    queue_requests: int
    log_end: int
    rows: RowsSize
    rule_errors: int
    feature_errors: int
    repeats_waiting: int
    snapshot_age: float | None = None
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as it is declared: a counter, a gauge, or with `bounds` a histogram.

    `read` is where it stands in a reading; without, it is counted here.
    """

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    read: Callable[[Reading], float | None] | None = None

    @property
    def shown(self) -> str:
        """The name as queries spell it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


BUILD = Declared("fairgate_build_info", "gauge", "1, for the version and the live pack.", ("version", "pack"))
REQUESTS = Declared(
    "fairgate_requests",
    "counter",
    "Requests answered. `call_site` is empty where no decision was asked for.",
    ("route", "status", "call_site"),
)
REQUEST_SECONDS = Declared(
    "fairgate_request_seconds",
    "histogram",
    "Seconds from a request's arrival, body included, to its answer.",
    ("route",),
    SECONDS,
)
FALLBACK = Declared(
    "fairgate_fallbacks",
    "counter",
    "Answers that a call site's policy gave because no decision was durable in time.",
    ("call_site", "why"),
)
DECISIONS = Declared("fairgate_decisions", "counter", "Decisions made, by event type and action.", ("type", "action"))
RULES = Declared(
    "fairgate_rules_fired",
    "counter",
    "Rules that fired; a silent one (shadow, outside its canary, switched off, capped) changed nothing.",
    ("rule", "silent"),
)
REFUSED = Declared("fairgate_refusals", "counter", "Events that were not taken, by code.", ("code",))
REPEATS = Declared("fairgate_repeats", "counter", "Events that had been decided on before.")
LEFT_OUT = Declared("fairgate_degraded", "counter", "Decisions that went without something, by what failed.", ("what",))
COMMIT_SECONDS = Declared("fairgate_commit_seconds", "histogram", "Seconds that a commit of the log took.", (), SECONDS)
COMMIT_EVENTS = Declared("fairgate_commit_events", "histogram", "Events that one commit made durable.", (), EVENTS)

METRICS: Final = (
    BUILD,
    REQUESTS,
    REQUEST_SECONDS,
    FALLBACK,
    DECISIONS,
    RULES,
    REFUSED,
    REPEATS,
    LEFT_OUT,
    COMMIT_SECONDS,
    COMMIT_EVENTS,
    Declared("fairgate_queue_events", "gauge", "Events admitted and not yet durable.", read=lambda r: r.queue_events),
    Declared(
        "fairgate_queue_requests", "gauge", "Requests that are being read or wait.", read=lambda r: r.queue_requests
    ),
    Declared("fairgate_log_end", "gauge", "Number that the log's next record gets.", read=lambda r: r.log_end),
    Declared("fairgate_rows", "gauge", "Rows of features held.", read=lambda r: r.rows.rows),
    Declared("fairgate_rows_bytes", "gauge", "Bytes that rows use.", read=lambda r: r.rows.used_bytes),
    Declared("fairgate_rows_evicted", "counter", "Rows idle past their longest window.", read=lambda r: r.rows.evicted),
    Declared("fairgate_rule_errors", "counter", "Rules that failed on an event.", read=lambda r: r.rule_errors),
    Declared(
        "fairgate_feature_errors", "counter", "Features that failed on an event.", read=lambda r: r.feature_errors
    ),
    Declared(
        "fairgate_repeats_waiting",
        "gauge",
        "Keys by which repeats are recognised that wait in memory for the disk; grows while they can't be written.",
        read=lambda r: r.repeats_waiting,
    ),
    Declared(
        "fairgate_snapshot_age_seconds",
        "gauge",
        "Seconds since the last snapshot; missing before the first.",
        read=lambda r: r.snapshot_age,
    ),
    Declared(
        "fairgate_desk_up",
        "gauge",
        "1 while the desk's process runs, else 0; missing without one.",
        read=lambda r: None if r.beside.desk is None else float(r.beside.desk.up),
    ),
    Declared(
        "fairgate_desk_starts",
        "counter",
        "Times that the desk was started; missing without one.",
        read=lambda r: None if r.beside.desk is None else r.beside.desk.starts,
    ),
    Declared(
        "fairgate_clerk_up",
        "gauge",
        "1 while the clerk's process runs, else 0; missing without one.",
        read=lambda r: None if r.beside.clerk is None else float(r.beside.clerk.up),
    ),
    Declared(
        "fairgate_clerk_starts",
        "counter",
        "Times that the clerk was started; missing without one.",
        read=lambda r: None if r.beside.clerk is None else r.beside.clerk.starts,
    ),
)


def metrics_page() -> str:
    """The reference page of the metrics, from their declarations."""
    rows = [
        f"| `{each.shown}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels)} | {each.about} |"
        for each in METRICS
    ]
    return "\n".join([_HEAD, *rows, "", _tail()])


_HEAD = """# Metrics

Generated by `make docs` from the declarations that the door itself uses.

`GET /metrics` gives them as Prometheus reads them. What wasn't declared (routes, call sites, the live pack's event
types and rules, the codes below) is counted as `other`: no caller can make a new series.

| metric | kind | labels | what |
|---|---|---|---|"""


def _tail() -> str:
    seconds, events = (", ".join(f"{bound:g}" for bound in bounds) for bounds in (SECONDS, EVENTS))
    words = {
        "`why` of a fallback": FALLBACKS,
        "`code` of a refusal": REFUSALS,
        "`what` of a degraded decision": DEGRADED,
        "`action`": tuple(action.word for action in Action),
    }
    lines = [f"| {label} | {', '.join(f'`{value}`' for value in values)} |" for label, values in words.items()]
    return "\n".join(
        [
            "| label | values |",
            "|---|---|",
            *lines,
            "",
            f"Seconds are counted in buckets up to {seconds}; events of a commit up to {events}.",
            "",
            "Counters begin at 0 with the process; those of rows, and of failed rules and features, also when the door",
            "has recovered from a failing disk. The figures of the process itself are there too, such as",
            "`process_resident_memory_bytes`.",
            "",
        ]
    )
