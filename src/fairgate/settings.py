"""What `fairgate.toml` may say. Each key's `Meta` is its documentation, from which the reference page is generated."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from fairgate.domain.access import Role
from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.errors import BadSettings
from fairgate.domain.memory import LONGEST_MEMORY
from fairgate.domain.windows import DAY, LONGEST_REPEAT
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.pack_tables import ActionWord
from fairgate.language.problems import one_of
from fairgate.language.toml_shape import read_shape

T = TypeVar("T", bound=msgspec.Struct)

#: The fewest days that the log can be kept for: a repeat is known by the record that it repeats.
LEAST_LOG_DAYS = LONGEST_REPEAT // DAY + 2
#: The entry of a table by name that stands for all that are not named in it.
DEFAULT = "default"
#: What a secret may be sent to: nobody on the way reads it.
_SAFE = re.compile(r"https://|http://(127\.0\.0\.1|localhost)(:[0-9]+)?/")


class DoorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The process that takes events and decides."""

    host: Annotated[str, Meta(description="Address to listen at; beyond loopback only with API keys.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen at; 0 takes a free one.")] = 8080
    tls_cert: Annotated[Path | None, Meta(description="PEM file of the certificate chain; with `tls_key`.")] = None
    tls_key: Annotated[Path | None, Meta(description="PEM file of the private key; with `tls_cert`.")] = None
    queue_events: Annotated[
        int, Meta(ge=1, description="Events that may wait to become durable; more are answered with 429.")
    ] = 20_000
    queue_megabytes: Annotated[int, Meta(ge=17, description="Megabytes of bodies that may be read at a time.")] = 256
    connections: Annotated[int, Meta(ge=1, description="Connections that may be open at a time.")] = 4_096
    body_seconds: Annotated[
        float, Meta(gt=0, description="Seconds within which a request must have arrived; else 408.")
    ] = 10.0
    stop_seconds: Annotated[float, Meta(gt=0, description="Seconds that requests get to end at a graceful stop.")] = (
        10.0
    )
    snapshot_events: Annotated[
        int, Meta(ge=1, description="A snapshot is made after so many events, and at a graceful stop.")
    ] = 1_000_000
    expected_keys: Annotated[
        int, Meta(ge=1, description="Keys that memory is set aside for at the start; it grows by itself, with a pause.")
    ] = 100_000

    def __post_init__(self) -> None:
        """Check what a type can't say; raises ValueError."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("`tls_cert` and `tls_key` go together, and one of them is missing")


class CallSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place in another team's service that asks for decisions, named in the header `Fairgate-Call-Site`."""

    fail: Annotated[
        ActionWord, Meta(description="The action that is answered where no decision could be made durable in time.")
    ] = "allow"
    deadline_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="Milliseconds after which `fail` is answered, unless the request says.")
    ] = 1_000

    @property
    def action(self) -> Action:
        """`fail` as an action."""
        return ACTIONS[self.fail]


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The event log."""

    segment_megabytes: Annotated[int, Meta(ge=1, le=1_024, description="Megabytes of one segment.")] = 256
    days: Annotated[
        Annotated[int, Meta(ge=LEAST_LOG_DAYS)] | None,
        Meta(
            description="Days by receipt after which records are dropped, once they are in the lake; for ever without. "
            "More than the pack's longest window."
        ),
    ] = None


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The process beside the door: compaction, SQL, backtests, exports."""

    enabled: Annotated[bool, Meta(description="Whether `fairgate serve` starts and watches a desk.")] = True
    host: Annotated[str, Meta(description="Address to listen at; beyond loopback only with API keys.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen at; 0 takes a free one.")] = 8081
    compact_seconds: Annotated[
        float, Meta(gt=0, description="Seconds between two looks at the log for events to put in the lake.")
    ] = 5.0
    sql_seconds: Annotated[float, Meta(gt=0, description="Seconds after which a query is ended.")] = 30.0
    sql_megabytes: Annotated[int, Meta(ge=64, description="Megabytes that a query may use.")] = 2_048
    sql_rows: Annotated[int, Meta(ge=1, description="Rows that a query's answer may have; the rest is cut off.")] = (
        10_000
    )
    sql_at_once: Annotated[
        int, Meta(ge=1, le=64, description="Queries that run at a time, each in a process of its own.")
    ] = 2
    sql_waiting: Annotated[int, Meta(ge=0, description="Queries that may wait for their turn; more get 429.")] = 8
    packs: Annotated[
        Path | None, Meta(description="Folder of packs that a backtest may name, beside those that ship.")
    ] = None
    jobs_waiting: Annotated[int, Meta(ge=0, description="Jobs that may wait for their turn; more get 429.")] = 10
    job_seconds: Annotated[float, Meta(gt=0, description="Seconds after which a job is ended.")] = 3_600.0
    job_days: Annotated[float, Meta(gt=0, description="Days after which an ended job and its files are removed.")] = 7.0
    export_megabytes: Annotated[int, Meta(ge=1, description="Megabytes that an export's file may have.")] = 4_096
    appeal_days: Annotated[
        int, Meta(ge=1, le=365, description="Days after which an appeal should have been decided.")
    ] = 14
    anchor_minutes: Annotated[
        float,
        Meta(gt=0, le=1_440, description="Minutes between two anchors of the audit log, where rows have come since."),
    ] = 5.0
    claim_minutes: Annotated[
        float,
        Meta(gt=0, le=1_440, description="Minutes that a case is one reviewer's, from the last thing they did to it."),
    ] = 10.0
    second_looks: Annotated[
        bool,
        Meta(
            description="Whether somebody else looks as well at some of what was decided, and at all that is grave and "
            "doubtful, which is held until then. A team of one switches it off."
        ),
    ] = True
    plan_minutes: Annotated[
        float,
        Meta(gt=0, le=1_440, description="Minutes between two plans of a shift; one counts for twice as long."),
    ] = 5.0
    appeal_minutes: Annotated[
        float,
        Meta(gt=0, le=1_440, description="Minutes that an appeal is expected to take, in plans and forecasts."),
    ] = 10.0
    second_person_above: Annotated[
        int, Meta(ge=0, description="Accounts above which a bulk action needs the approval of a second person.")
    ] = 100
    second_person_revenue: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="What its accounts paid in 90 days above which it needs one, too; never for that without."),
    ] = None


class SharePrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a token costs, in the unit that capacity is counted in."""

    input: Annotated[float, Meta(ge=0, le=1_000_000, description="Cost of a token that is read.")] = 1.0
    output: Annotated[float, Meta(ge=0, le=1_000_000, description="Cost of a token that is written.")] = 2.0
    cached: Annotated[
        float, Meta(ge=0, le=1_000_000, description="Cost of a token of the input that came from a cache.")
    ] = 0.1


class ShareSpeeds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How fast a processor is: seconds are estimated by it until they are told."""

    read: Annotated[float, Meta(gt=0, description="Tokens that a processor reads in a second.")] = 10_000.0
    write: Annotated[float, Meta(gt=0, description="Tokens that a processor writes in a second.")] = 100.0


class SharePool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Capacity that some models have in common. A model belongs to the first pool that has it."""

    name: Annotated[str, Meta(description="What the pool is called; no two have the same name.")] = "default"
    models: Annotated[list[str], Meta(description="Its models: names, or patterns like `large-*`; all without.")] = []
    capacity: Annotated[float, Meta(ge=0, le=1e15, description="What there is in a second, in cost units.")] = 20_000.0
    burst: Annotated[
        Annotated[float, Meta(gt=0, le=1e15)] | None,
        Meta(description="What may be saved up while less is used; a second's capacity without."),
    ] = None
    unit: Annotated[
        Literal["tokens", "gpu_seconds"],
        Meta(description="What a cost unit is: a token by `prices`, or a second of a processor by `speeds`."),
    ] = "tokens"
    prices: Annotated[SharePrices, Meta(description="What a token costs, where the unit is `tokens`.")] = SharePrices()
    speeds: Annotated[ShareSpeeds, Meta(description="How fast a processor is, where the unit is `gpu_seconds`.")] = (
        ShareSpeeds()
    )
    largest: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="The most that one request may be expected to cost; any without."),
    ] = None
    queue: Annotated[int, Meta(ge=0, le=1_000_000, description="Requests that may wait; more are denied.")] = 10_000
    grant_seconds: Annotated[
        float, Meta(gt=0, description="Seconds after which a grant that nobody touches ends, as it was estimated.")
    ] = 600.0
    quantum: Annotated[
        Annotated[float, Meta(gt=0, le=1e15)] | None,
        Meta(description="The most that a gateway with leases holds unspent; half a second's part of it without."),
    ] = None


class ShareLeases(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Leases for several gateways, which must have the same terms."""

    gateways: Annotated[int, Meta(ge=0, description="How many gateways there are at most; 0 for no leases.")] = 0
    lifetime: Annotated[float, Meta(gt=0, description="Seconds that a lease lives.")] = 10.0
    delta: Annotated[float, Meta(ge=0, lt=0.25, description="How far the rate of a clock may be off, as a part.")] = (
        0.01
    )
    sigma: Annotated[
        float,
        Meta(ge=0, le=1, description="The part of the capacity that all gateways have while all are cut off."),
    ] = 0.5


class ShareSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The process that shares compute out to gateways."""

    host: Annotated[str, Meta(description="Address to listen at; beyond loopback only with API keys.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen at; 0 takes a free one.")] = 8082
    connections: Annotated[
        int, Meta(ge=1, description="Connections that may be open at a time; each waiting request holds one.")
    ] = 16_384
    deadline_ms: Annotated[
        int, Meta(ge=0, le=600_000, description="Milliseconds that a request waits at most, unless it says.")
    ] = 10_000
    stop_seconds: Annotated[float, Meta(gt=0, description="Seconds that requests get to end at a graceful stop.")] = 5.0
    throttled_ceil: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The part of a pool's capacity of which a rate that a decision lowered is a part: at a rate "
            "of 0.25 an account gets a quarter of it at most.",
        ),
    ] = 0.001
    leases: Annotated[ShareLeases, Meta(description="Leases for several gateways.")] = ShareLeases()
    pool: Annotated[
        list[SharePool], Meta(description="Pools of capacity; one for all models, with the defaults, without.")
    ] = []

    @property
    def pools(self) -> list[SharePool]:
        """The pools, at least one."""
        return self.pool or [SharePool()]

    def __post_init__(self) -> None:
        """Check what a type can't say; raises ValueError."""
        names = [each.name for each in self.pool]
        if len(set(names)) < len(names):
            raise ValueError("two pools have the same name")


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the lake keeps the events of a type. Without a limit they stay."""

    days: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Days by receipt.")] = None
    megabytes: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Megabytes of the type's files; the oldest go.")
    ] = None


class ErasureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left of an account that is erased. Without a word here, nothing of what its bans are remembered by."""

    keep_ban_memory: Annotated[
        str | None,
        Meta(description="How long after an erasure, such as `180d`, tokens of what a banned account used are kept."),
    ] = None
    ground: Annotated[
        str, Meta(max_length=200, description="The lawful ground for that, which every erasure names.")
    ] = ""

    def __post_init__(self) -> None:
        """Check what a type can't say; raises ValueError."""
        if self.keep_ban_memory is None:
            return
        if not self.keeps or self.keeps > LONGEST_MEMORY:
            raise ValueError(f"`keep_ban_memory` is no time of at most {LONGEST_MEMORY // DAY}d: {HINT}")
        if not self.ground.strip() or not self.ground.isprintable():
            raise ValueError("`keep_ban_memory` needs a `ground`: name what allows you to keep it")

    @property
    def keeps(self) -> int | None:
        """`keep_ban_memory` in microseconds."""
        return None if self.keep_ban_memory is None else parse_duration(self.keep_ban_memory)


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another team's service that is told when somebody's standing changes. Its secret is in the environment."""

    url: Annotated[str, Meta(pattern="^https?://", description="Where messages are posted to.")] = (
        "http://127.0.0.1:8083/"
    )
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Seconds within which it must have answered 2xx.")
    ] = 10.0
    at_once: Annotated[
        int, Meta(ge=1, le=256, description="Messages that are on their way at a time, each about somebody else.")
    ] = 16
    patience_hours: Annotated[
        float, Meta(gt=0, le=720, description="Hours after which a message that can't be delivered is put aside.")
    ] = 72.0


class ChallengeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How challenges of one kind are made and checked. A captcha's secret is in the environment."""

    by: Annotated[
        Literal["proof_of_work", "code", "siteverify", "reported"],
        Meta(
            description="Who checks it: a proof of work or a code made here, a captcha's vendor that speaks "
            "`siteverify` (Turnstile, hCaptcha, reCAPTCHA v2), or your own service, which reports what came of it."
        ),
    ] = "proof_of_work"
    lifetime_seconds: Annotated[int, Meta(ge=10, le=7 * 86_400, description="Seconds after which it has expired.")] = (
        600
    )
    attempts: Annotated[
        int, Meta(ge=1, le=20, description="Answers that it takes; with the last wrong one it has failed.")
    ] = 5
    per_hour: Annotated[
        int, Meta(ge=1, le=1_000, description="Challenges of the kind that an account gets in an hour; more get 429.")
    ] = 10
    difficulty: Annotated[
        int, Meta(ge=1, le=32, description="Zero bits of a proof of work: each more doubles the work.")
    ] = 16
    url: Annotated[str, Meta(description="Where the vendor answers `siteverify`; nothing else is ever asked.")] = ""
    site_key: Annotated[str, Meta(max_length=300, description="The public key of the vendor's widget.")] = ""
    hostnames: Annotated[
        list[str], Meta(description="The hosts of your own pages: what was solved elsewhere is wrong.")
    ] = []
    action: Annotated[
        str | None, Meta(description="The widget's action, which the vendor must repeat; any without.")
    ] = None
    bound: Annotated[
        bool,
        Meta(description="Whether the widget is given the challenge's id as `cdata`, and the vendor must repeat it."),
    ] = False
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Seconds within which the vendor must have answered.")
    ] = 5.0
    when_down: Annotated[
        Literal["later", "fail", "pass"],
        Meta(
            description="What an answer is while the vendor can't say: to be given again `later`, which costs no "
            "attempt; wrong; or right, which the event then says is not `verified`."
        ),
    ] = "later"

    def __post_init__(self) -> None:
        """Check what a type can't say; raises ValueError."""
        if self.by == "siteverify" and not (self.url and self.site_key and self.hostnames):
            raise ValueError("`siteverify` needs `url`, `site_key` and `hostnames`")
        if self.url and not _SAFE.match(self.url):
            raise ValueError("`url` must begin with https://, or with http:// and be of this machine")


#: The kinds of challenges that are there without settings.
CHALLENGES: Mapping[str, ChallengeSettings] = {
    "captcha": ChallengeSettings(),
    "email": ChallengeSettings(by="code", lifetime_seconds=900),
    "phone": ChallengeSettings(by="code"),
    "payment": ChallengeSettings(by="reported", lifetime_seconds=86_400),
    "identity": ChallengeSettings(by="reported", lifetime_seconds=7 * 86_400),
}


class ClerkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The process that keeps the records of actions and tells other services of them."""

    enabled: Annotated[bool, Meta(description="Whether `fairgate serve` starts and watches a clerk.")] = True


class OidcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider of identities (OpenID Connect) by which people may log in, too.

    The client's secret is in the environment, as `FAIRGATE_OIDC_SECRET`.
    """

    issuer: Annotated[
        str,
        Meta(
            pattern=r"^((https://[^\s/?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?)(/[^\s?#]*)?)?$",
            description="The provider, as its tokens name it: by https, unless it is on this machine. Empty for none.",
        ),
    ] = ""
    client_id: Annotated[str, Meta(description="What Fairgate is called there.")] = ""
    name_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description="The claim that is a person's name here, which people must not be able to change themselves. "
            "`email` counts only where the provider has verified it.",
        ),
    ] = "email"
    role_claim: Annotated[
        str, Meta(min_length=1, description="The claim that `roles` goes by: a text, or a list of texts.")
    ] = "groups"
    roles: Annotated[
        dict[str, Role],
        Meta(description="Values of that claim to roles. Whoever has one is let in; the first that they have counts."),
    ] = {}


class PeopleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """People who log in at the desk."""

    url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+$")] | None,
        Meta(
            description="What browsers call the desk, such as `https://desk.example.com`; what they ask for without. "
            "OIDC needs it, and so does a proxy that ends TLS."
        ),
    ] = None
    idle_minutes: Annotated[
        int, Meta(ge=2, le=1_440, description="Minutes after which a session that nobody uses ends.")
    ] = 30
    session_hours: Annotated[int, Meta(ge=1, le=168, description="Hours after which a session ends in any case.")] = 10
    without_totp: Annotated[
        list[Role], Meta(description="Roles of which people need no one-time code (TOTP) beside their password.")
    ] = []
    oidc: Annotated[OidcSettings, Meta(description="A provider of identities by which people may log in, too.")] = (
        OidcSettings()
    )

    def __post_init__(self) -> None:
        """Check what a type can't say; raises ValueError."""
        if self.oidc.issuer and not self.oidc.client_id:
            raise ValueError("`oidc.issuer` needs `oidc.client_id`, what Fairgate is called there")
        if self.oidc.issuer and self.url is None:
            raise ValueError("`oidc.issuer` needs `url`, where the provider sends people back to")


class TelemetrySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What operators are told."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    log_json: Annotated[bool, Meta(description="JSON lines instead of plain text.")] = False
    otlp_endpoint: Annotated[
        str | None, Meta(description="Where traces are sent, by OTLP over HTTP; none without.")
    ] = None
    otlp_share: Annotated[
        float, Meta(ge=0, le=1, description="Part of the requests that are traced, beside those whose caller traces.")
    ] = 0.01


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file. Paths in it are relative to its folder; without a file, to where Fairgate is started."""

    pack: Annotated[
        str, Meta(description="The pack that is live: a folder, or the name of one that ships with Fairgate.")
    ] = "ai_api"
    data: Annotated[Path, Meta(description="Where log, keys, snapshots and lake are kept.")] = Path("fairgate-data")
    door: Annotated[DoorSettings, Meta(description="The process that takes events and decides.")] = DoorSettings()
    call_site: Annotated[
        dict[str, CallSite],
        Meta(description="Places that ask for decisions. `default` is for requests that name none."),
    ] = {}
    log: Annotated[LogSettings, Meta(description="The event log.")] = LogSettings()
    desk: Annotated[DeskSettings, Meta(description="The process for all that is slow.")] = DeskSettings()
    share: Annotated[ShareSettings, Meta(description="The process that shares compute out to gateways.")] = (
        ShareSettings()
    )
    people: Annotated[PeopleSettings, Meta(description="People who log in.")] = PeopleSettings()
    clerk: Annotated[ClerkSettings, Meta(description="The process that keeps records of actions.")] = ClerkSettings()
    webhook: Annotated[
        dict[str, WebhookSettings],
        Meta(description="Services that are told of actions; the secret of `NAME` is `FAIRGATE_WEBHOOK_NAME`."),
    ] = {}
    challenge: Annotated[
        dict[str, ChallengeSettings],
        Meta(
            description="How challenges are checked, by kind. Without a table `captcha` is a proof of work, `email` "
            "and `phone` are codes, `payment` and `identity` are reported. A vendor's secret for `NAME` is "
            "`FAIRGATE_CHALLENGE_NAME`."
        ),
    ] = {}
    retention: Annotated[
        dict[str, Retention], Meta(description="By event type; `default` is for the types that are not named.")
    ] = {}
    erasure: Annotated[ErasureSettings, Meta(description="What is left of an erased account.")] = ErasureSettings()
    telemetry: Annotated[TelemetrySettings, Meta(description="Logs and traces.")] = TelemetrySettings()

    def site(self, name: str) -> CallSite | None:
        """The call site of a name; `default` is always there."""
        return self.call_site.get(name) or (CallSite() if name == DEFAULT else None)

    @property
    def challenges(self) -> Mapping[str, ChallengeSettings]:
        """How challenges are checked, by kind, with those that need no table."""
        return {**CHALLENGES, **self.challenge}


def read_settings(path: Path | None) -> Settings:
    """The settings of a file; the defaults without one. Raises `BadSettings` with every fault, its line and key."""
    if path is None:
        return Settings()
    settings = _at(path.parent, read_shape(path, Settings, BadSettings, hook=_setting))
    pack = path.parent / settings.pack
    return msgspec.structs.replace(settings, pack=str(pack)) if pack.is_dir() else settings


def convert(values: Mapping[str, object]) -> Settings:
    """Settings from the values of a file. Raises `msgspec.ValidationError` naming the key."""
    return msgspec.convert(values, Settings, dec_hook=_setting)


def check_retention(settings: Settings, event_types: Collection[str]) -> None:
    """Raise `BadSettings` where `retention` names a type that the pack, which has `event_types`, does not have."""
    for name in settings.retention:
        if name != DEFAULT and name not in event_types:
            hint = one_of(name, {DEFAULT, *event_types})
            raise BadSettings(f'[retention."{name}"]: the pack has no such event type ({hint}).')


def check_log_days(settings: Settings, longest: int) -> None:
    """Raise `BadSettings` where the log is kept for less than a pack's longest window, in microseconds."""
    days = settings.log.days
    if days is not None and days * DAY < longest + DAY:
        what = f"[log] days is {days}, and the pack looks back over {longest // DAY} days"
        raise BadSettings(f"{what}: keep the log for more than {longest // DAY}, or nothing could count them again.")


def _at(folder: Path, table: T) -> T:
    """A table of a file in this folder, its relative paths turned into those from here."""
    values = {name: getattr(table, name) for name in table.__struct_fields__}
    paths = {name: folder / value for name, value in values.items() if isinstance(value, Path)}
    tables = {name: _at(folder, value) for name, value in values.items() if isinstance(value, msgspec.Struct)}
    return msgspec.structs.replace(table, **paths, **tables)


def settings_of(path: Path | None, given: Mapping[str, object]) -> Settings:
    """The settings of a file, overridden by those given, such as on the command line; `door.port` is a table's key."""
    settings = read_settings(path)
    top = {name: value for name, value in given.items() if "." not in name}
    for name in {name.partition(".")[0] for name in given if "." in name}:
        keys = {key.partition(".")[2]: value for key, value in given.items() if key.startswith(f"{name}.")}
        top[name] = msgspec.structs.replace(getattr(settings, name), **keys)
    return msgspec.structs.replace(settings, **top)


def _setting(kind: type, value: object) -> object:
    """A setting of a type that TOML does not have."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"Expected `{kind.__name__.lower()}`, got `{type(value).__name__}`")
