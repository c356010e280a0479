"""The composition root: reads the settings, opens the backends, puts the pieces together. Nothing else does."""

import gc
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from fairgate.backends.embedded import lake_manifest
from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.key_runs import FolderKeyRuns
from fairgate.backends.embedded.segments import SegmentLog, open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.casework.figures import Estimate, Found, Saying
from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import Planner
from fairgate.domain.case import Outcome
from fairgate.domain.errors import BadSettings, LakeLocked
from fairgate.domain.pack import Pack
from fairgate.domain.secret import Secrets, salt_of
from fairgate.domain.windows import DAY
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.program import Program
from fairgate.kernel.rows import Rows, warm
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.language.problems import PackError
from fairgate.monitor.traces import NoTraces
from fairgate.pipeline.compaction import Compaction
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.identifiers import Identifiers
from fairgate.pipeline.live_lake import LiveLake
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.seals import Seals
from fairgate.ports.api_keys import ApiKeys
from fairgate.ports.appeals import Appeals
from fairgate.ports.audit import Audit
from fairgate.ports.bulks import Bulks
from fairgate.ports.cases import CaseFeed, CaseIntake, CaseQueue, Cases
from fairgate.ports.challenger import Challenger
from fairgate.ports.challenges import Challenges, Outcomes
from fairgate.ports.clock import Clock
from fairgate.ports.ledger import LedgerRecords, Read
from fairgate.ports.looks import GoldCases, Looks
from fairgate.ports.outbox import Outbox
from fairgate.ports.people import People
from fairgate.ports.rota import Rota
from fairgate.ports.traces import Traces
from fairgate.secret_file import secrets_of
from fairgate.settings import ChallengeSettings, Settings, check_log_days, check_retention

_log = logging.getLogger(__name__)
#: The planner that needs nothing installed.
GREEDY: Final = "greedy"
#: The packs that ship with Fairgate, by name.
SHIPPED = Path(__file__).parent / "packs"
SUBJECT_KEYS = "subjects.keys"
#: Before the kind of a challenge, in capitals: the variable that has its vendor's secret.
CHALLENGE_VARIABLE = "FAIRGATE_CHALLENGE_"
#: The data base of ledger, outbox, appeals, bulk actions, cases, challenges, people, their shifts and the audit log.
RECORDS = "records.db"
#: Where the state of a pack that is to go live is kept.
PREPARED = "prepared"
#: Records that a door reads by itself before it goes over to another pack: seconds of them.
MOST_TO_FOLLOW = 200_000


def pack_folder(name: str) -> Path:
    """The folder of a pack: a path, or the name of one that ships."""
    folder = Path(name)
    return folder if folder.exists() or not (SHIPPED / name).is_dir() else SHIPPED / name


def load_checked(name: str) -> CheckedPack:
    """A pack by folder or name, checked; raises `PackError` with all its faults."""
    return check_pack(load_pack(pack_folder(name)), TYPES)


def checked_from(files: Mapping[str, str]) -> CheckedPack:
    """A pack from its files' texts, checked."""
    return check_pack(pack_from_texts(files), TYPES)


def new_engine(
    checked: CheckedPack,
    secret: int,
    expected_keys: int = 1 << 12,
    *,
    version: int = 1,
    older: Mapping[int, int] = MappingProxyType({}),
) -> Engine:
    """An engine with rows in this process."""

    def rows(program: Program) -> Rows:
        return Rows(program, expected_rows=expected_keys)

    return Engine(checked, secret, rows, version=version, older=older)


def was_cut(data: Path) -> bool:
    """Whether the log of a data folder has dropped records. Raises what opening it raises."""
    if not any((data / "log").glob("*.log")):
        return False
    with open_log(data / "log", read_only=True) as log:
        return log.begin() > 0


@contextmanager
def open_seals(data: Path) -> Iterator[Seals]:
    """What opens the sealed parts of a data folder's records. Raises `BadSettings` and `KeysUnusable`."""
    with closing(FileSubjectKeys(data / SUBJECT_KEYS, writable=False)) as keys:
        yield Seals(keys, secrets_of(data, make=False))


def calm_collector() -> None:
    """Set Python's cyclic collector for a process that makes many short-lived objects and no cycles.

    What is there now is never looked at again, and the young are looked at rarely: reference counting frees them.
    Without it a batch of 4,000 events spends a tenth of its time in collections.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


class LivePipeline:
    """The live pipeline of some settings, brought up to its log's end; `close` closes its log.

    Raises what opening and reading the log raises, and `PackError`, `BadSettings` or `RecordUnreadable`.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._secrets = secrets_of(settings.data, make=not any((settings.data / "log").glob("*.log")))
        self._log = SegmentLog.open(settings.data / "log", settings.log.segment_megabytes << 20)
        try:
            self._checked = self._pack()
            check_retention(settings, self._checked.pack.event_types)
            check_log_days(settings, longest_window(self._checked))
            self._keys = FileSubjectKeys(settings.data / SUBJECT_KEYS)
            self._repeats = new_repeats(self._secrets.current, settings.data / "repeats")
            self.pipeline = self._recovered()
        except BaseException:
            self._log.close()
            raise

    def reopen(self) -> Pipeline:
        """Make the pipeline anew after it has stopped, less what had not become durable.

        May run in another thread, and again after it has raised; the pipeline before is not to be used any more.
        """
        self.__dict__.pop("pipeline", None)  # its rows make room for the new ones
        self._log = self._log.reopen()
        self.pipeline = self._recovered()
        return self.pipeline

    def follow(self) -> Pipeline | None:
        """A pipeline of the pack as its folder has it now, brought near the log's end; None where that is live already.

        It is not live yet, and the one that is goes on meanwhile. May run in another thread. Raises `PackError`,
        `BadSettings` where the log is kept too short for it, and `NotPrepared` where too much is still to be counted.
        """
        checked = load_checked(self._settings.pack)
        if checked.pack.digest == self._checked.pack.digest:
            self._forget_prepared()
            return None
        check_log_days(self._settings, longest_window(checked))
        pipeline = self._pipeline_of(checked, follows=True)
        pipeline.catch_up(FolderSnapshots(self._settings.data / PREPARED), most=MOST_TO_FOLLOW)
        return pipeline

    def adopt(self, pipeline: Pipeline) -> None:
        """Take a pipeline that `follow` made, and that is live now, for the one to make anew if need be."""
        self.pipeline, self._checked = pipeline, pipeline.engine.checked
        self._forget_prepared()

    def cut(self) -> None:
        """Drop the log's records that are older than the settings keep them, as far as lake and clerk have them.

        To be called after a snapshot was kept; may run in another thread. Raises `LogUnavailable`, `RecordsUnavailable`
        and what reading the lake's manifest raises: nothing is lost then, and the next call tries again.
        """
        days, lake = self._settings.log.days, self._settings.data / "lake"
        if days is None or not (lake / lake_manifest.MANIFEST).exists():
            return
        before, most = self.pipeline.log.begin(), lake_manifest.read(lake).pack
        read = read_by_the_clerk(self._settings.data)
        begin = self.pipeline.cut(self._clock.now() - days * DAY, most if read is None else min(most, read))
        if begin > before:
            _log.info("records before %d are older than %d days and were dropped from the log", begin, days)

    def close(self) -> None:
        """Close the log. Raises `LogBroken` where what was appended can't be made durable."""
        self._repeats.close()
        self._keys.close()
        self._log.close()

    def _forget_prepared(self) -> None:
        """What was prepared is of no more use, and made again when it is: so a failure matters to nobody."""
        shutil.rmtree(self._settings.data / PREPARED, ignore_errors=True)

    def _pack(self) -> CheckedPack:
        """The pack of the settings; where it has faults, the one that was live, so that a restart stops nobody."""
        try:
            return load_checked(self._settings.pack)
        except PackError:
            if not self._log.end():
                raise
            live = live_pack(self._log, self._log.end() - 1)
            _log.exception("the pack has faults, so the one that was live stays")
            return checked_from(live.files)

    def _recovered(self) -> Pipeline:
        pipeline = self._pipeline_of(self._checked)
        warm()
        pipeline.recover()
        _tell_anew(pipeline)
        return pipeline

    def _pipeline_of(self, checked: CheckedPack, *, follows: bool = False) -> Pipeline:
        """A pipeline of a pack, or one that `follows` the live one."""
        seals = Seals(self._keys, self._secrets)
        snapshots = FolderSnapshots(self._settings.data / "snapshots")
        engine, secret = _engine_for(checked, self._settings, self._secrets), self._secrets.current
        remembers = not follows  # what the live one remembers is the follower's, too
        return Pipeline(engine, self._log, snapshots, self._clock, secret, seals, self._repeats, remembers=remembers)


def prepare(settings: Settings) -> tuple[Pipeline, int]:
    """Count the features of the pack as its folder has it now from the log, so that a running door can go over to it.

    Returns its pipeline, whose log is closed, and the end of what was counted. Raises `PackError`, `BadSettings`, and
    what reading log and keys raises.
    """
    checked, secrets = load_checked(settings.pack), secrets_of(settings.data, make=False)
    check_log_days(settings, longest_window(checked))
    prepared, snapshots = FolderSnapshots(settings.data / PREPARED), FolderSnapshots(settings.data / "snapshots")
    engine, secret = _engine_for(checked, settings, secrets), secrets.current
    with open_log(settings.data / "log", read_only=True) as log, open_seals(settings.data) as seals:
        repeats = new_repeats(secret)
        pipeline = Pipeline(engine, log, snapshots, SystemClock(), secret, seals, repeats, remembers=False)
        return pipeline, pipeline.prepare(prepared)


def longest_window(checked: CheckedPack) -> int:
    """The longest window that a pack's features look back over, in microseconds."""
    return max((each.over.length for read in checked.read.values() for each in read.values()), default=0)


def new_repeats(secret: int, folder: Path | None = None) -> Repeats:
    """What remembers the events that came, keyed by the secret: all in memory, or the older ones in a folder."""
    return Repeats(salt_of(secret, "repeats"), FolderKeyRuns(folder) if folder is not None else None)


def _engine_for(checked: CheckedPack, settings: Settings, secrets: Secrets) -> Engine:
    newest, keys = secrets.newest, settings.door.expected_keys
    return new_engine(checked, secrets.current, keys, version=newest, older=secrets.before(newest))


def _tell_anew(pipeline: Pipeline) -> None:
    if pipeline.anew:
        names = ", ".join(pipeline.anew)
        _log.warning("the log's old records are dropped, so these know nothing of that time: %s", names)


@contextmanager
def open_pipeline(settings: Settings, clock: Clock | None = None) -> Iterator[Pipeline]:
    """The live pipeline of these settings, brought up to its log's end. Its log is closed on leaving."""
    with closing(LivePipeline(settings, clock)) as live:
        yield live.pipeline


@contextmanager
def open_live_lake(data: Path) -> Iterator[LiveLake]:
    """The lake of a data folder with what the log has beyond it, for reading, beside a service or without one.

    Raises what opening log, lake and keys raises.
    """
    from fairgate.backends.embedded.lake import open_lake

    with (
        open_log(data / "log", read_only=True) as log,
        open_lake(data / "lake", read_only=True) as lake,
        open_seals(data) as seals,
    ):
        compaction = Compaction(log, lake, checked_from)
        yield LiveLake(lake, compaction, log.refresh, secrets_of(data, make=False), seals.open)


@contextmanager
def open_identifiers(data: Path) -> Iterator[tuple[Identifiers, Pack]]:
    """What looks up what accounts used in a data folder, and the pack that is live. Raises as `open_live_lake`."""
    secrets = secrets_of(data, make=False)
    with open_log(data / "log", read_only=True) as log, open_seals(data) as seals, open_live_lake(data) as lake:
        pack = pack_from_texts(live_pack(log, log.end() - 1).files)
        yield Identifiers(lake, secrets, seals.open), pack


def catch_up(data: Path) -> None:
    """Bring the lake of a data folder up to its log, unless a desk does that or this user may not.

    Raises what opening log and lake raises.
    """
    from fairgate.backends.embedded.lake import open_lake

    if not os.access(data, os.W_OK):
        return
    with suppress(LakeLocked), open_lake(data / "lake") as lake, open_log(data / "log", read_only=True) as log:
        log.refresh()
        compaction = Compaction(log, lake, checked_from)
        while compaction.step():
            pass


def open_keys(settings: Settings) -> AbstractContextManager[ApiKeys]:
    """The API keys of these settings. Closed on leaving. Raises `KeysUnavailable`."""
    return open_api_keys(settings.data / "keys.db")


@dataclass(frozen=True, slots=True)
class Records:
    """The records in SQL, by subject."""

    ledger: LedgerRecords
    outbox: Outbox
    appeals: Appeals
    cases: Cases
    case_intake: CaseIntake
    case_queue: CaseQueue
    case_feed: CaseFeed
    people: People
    challenges: Challenges
    outcomes: Outcomes
    audit: Audit
    bulks: Bulks
    looks: Looks
    gold: GoldCases
    rota: Rota


@contextmanager
def open_records(data: Path) -> Iterator[Records]:
    """The records of a data folder, made where they are missing. Closed on leaving. Raises `RecordsUnavailable`."""
    from fairgate.backends.sql import sqlite
    from fairgate.backends.sql.appeals import SqlAppeals
    from fairgate.backends.sql.audit import SqlAudit
    from fairgate.backends.sql.bulks import SqlBulks
    from fairgate.backends.sql.cases import SqlCaseFeed, SqlCaseIntake, SqlCaseQueue, SqlCases
    from fairgate.backends.sql.challenges import SqlChallenges, SqlOutcomes
    from fairgate.backends.sql.ledger import SqlLedger
    from fairgate.backends.sql.looks import SqlGoldCases, SqlLooks
    from fairgate.backends.sql.outbox import SqlOutbox
    from fairgate.backends.sql.people import SqlPeople
    from fairgate.backends.sql.rota import SqlRota

    with sqlite.open_records(data / RECORDS) as opened:
        yield Records(
            ledger=SqlLedger(opened),
            outbox=SqlOutbox(opened),
            appeals=SqlAppeals(opened),
            audit=SqlAudit(opened),
            cases=SqlCases(opened),
            case_intake=SqlCaseIntake(opened),
            case_queue=SqlCaseQueue(opened),
            case_feed=SqlCaseFeed(opened),
            people=SqlPeople(opened),
            challenges=SqlChallenges(opened),
            outcomes=SqlOutcomes(opened),
            bulks=SqlBulks(opened),
            looks=SqlLooks(opened),
            gold=SqlGoldCases(opened),
            rota=SqlRota(opened),
        )


@contextmanager
def existing_records(data: Path) -> Iterator[Records | None]:
    """As `open_records`, but None where there are none yet: whoever only looks must not make them."""
    if not (data / RECORDS).exists():
        yield None
        return
    with open_records(data) as records:
        yield records


def read_by_the_clerk(data: Path) -> int | None:
    """The number of the first record of the log that the clerk has not read; None where it has kept nothing yet.

    Raises `RecordsUnavailable`.
    """
    with existing_records(data) as records:
        read = Read(0, 0) if records is None else records.ledger.read()
        return None if read == Read(0, 0) else read.sequence  # a desk without a clerk keeps its audit log there


def estimate_of_errors() -> Estimate | None:
    """What works out how reviewers err; None where the extra `casework` is not installed."""
    try:
        from fairgate.casework.confusion import Said, confusion, errors_of
    except ModuleNotFoundError:
        return None

    def estimate(sayings: Sequence[Saying], known: Mapping[str, str]) -> dict[str, Found]:
        said = [Said(*each) for each in sayings]
        # What is true must have been said by somebody, else the model does not know that it can be.
        nobody = [Said(case, "", truth) for case, truth in known.items()]
        found = confusion([*said, *nobody], known)
        errors = errors_of(said, found, Outcome.BAD, Outcome.BENIGN)
        return {who: Found(found.reviewers[who], each) for who, each in errors.items() if who}

    return estimate


def open_challengers(settings: Settings) -> dict[str, Challenger]:
    """Who makes and checks challenges, by kind. Raises `BadSettings` where a vendor's secret is not there."""
    return {name: _challenger(name, each, settings.data) for name, each in settings.challenges.items()}


def _challenger(name: str, asked: ChallengeSettings, data: Path) -> Challenger:
    from fairgate.vendors.code import Code
    from fairgate.vendors.proof_of_work import ProofOfWork
    from fairgate.vendors.reported import Reported
    from fairgate.vendors.siteverify import Site, Siteverify

    match asked.by:
        case "proof_of_work":
            return ProofOfWork(asked.difficulty)
        case "code":
            return Code(lambda: secrets_of(data, make=False))
        case "reported":
            return Reported()
        case "siteverify":
            variable = f"{CHALLENGE_VARIABLE}{name.upper().replace('-', '_')}"
            secret = os.environ.get(variable)
            if not secret:
                what = f"The challenge `{name}` needs its vendor's secret in the environment variable {variable}"
                raise BadSettings(f"{what}: the vendor shows it beside the site key.")
            hosts = tuple(asked.hostnames)
            site = Site(asked.url, asked.site_key, hosts, asked.action, asked.bound, asked.timeout_seconds)
            return Siteverify(site, secret)


class FoundPlanner(NamedTuple):
    """Who makes plans of shifts, by name; and why it is the greedy one, where it is."""

    name: str
    plans: Planner
    why: str = ""


def planner() -> FoundPlanner:
    """OR-Tools' where that is installed, else the greedy one."""
    try:
        from fairgate.casework.solver import solved_plan
    except ImportError:  # also where its libraries can't be loaded
        return FoundPlanner(GREEDY, greedy_plan, "OR-Tools is not installed: pip install 'fairgate[casework]'")
    return FoundPlanner("cp-sat", solved_plan)


def traces_from(endpoint: str | None, share: float = 0.01) -> AbstractContextManager[Traces]:
    """Traces sent to a collector, none without an endpoint; `share` of the requests that no caller follows.

    Raises `BadSettings` where OpenTelemetry isn't installed.
    """
    if endpoint is None:
        return nullcontext(NoTraces())
    try:
        from fairgate.monitor.otlp import open_otlp
    except ModuleNotFoundError as error:
        raise BadSettings("Traces need OpenTelemetry: pip install 'fairgate[otel]'.") from error
    return open_otlp(endpoint, share)
