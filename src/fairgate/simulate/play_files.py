"""A play as files: what production would have sent, and beside it, never in it, the truth.

`events/YYYY-MM-DD.ndjson` has the CloudEvents of a day in order of time. `truth.parquet` says of each event who did it,
`truth_accounts.parquet` of each account whose it is, and `ledger.parquet` has the opponents' books. `run.json` says
what was played; it is written last, so without it the others are not whole.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from fairgate.domain.errors import PlayUnwritable
from fairgate.domain.event import moment
from fairgate.domain.windows import DAY
from fairgate.simulate.acts import Account
from fairgate.simulate.operator import Entry
from fairgate.simulate.parquet_file import TIME, Cell, ParquetFile, Schema
from fairgate.simulate.service import COMPANY, Done, Reviewed
from fairgate.simulate.world_file import Loaded

EVENTS: Final = "events"
TRUTH: Final = "truth.parquet"
ACCOUNTS: Final = "truth_accounts.parquet"
LEDGER: Final = "ledger.parquet"
ABOUT: Final = "run.json"
#: Why somebody did something, as the truth has it. What the company finds out by itself is its own.
HONEST, ABUSE, OWN = "honest", "abuse", "company"
#: Events that are held in memory until they are written.
_HELD: Final = 4_096

_TRUTH: Final[Schema] = {
    "event": pl.String, "time": TIME, "account": pl.String, "actor": pl.String, "kind": pl.String, "intent": pl.String,
}  # fmt: skip
_ACCOUNTS: Final[Schema] = {
    "account": pl.String, "owner": pl.String, "kind": pl.String, "honest": pl.Boolean, "created": TIME,
    "first_abuse": TIME, "abused_by": pl.String, "abused_by_kind": pl.String,
}  # fmt: skip
_LEDGER: Final[Schema] = {
    "time": TIME, "operator": pl.String, "archetype": pl.String, "what": pl.String, "dollars": pl.Float64,
    "note": pl.String,
}  # fmt: skip


@dataclass(slots=True)
class _Fate:
    """An account, and the first who abused it."""

    account: Account
    time: int | None = None
    actor: str | None = None
    kind: str | None = None


class PlayFiles:
    """Writes `days` of a world, played from a seed, into a folder; to be told of all that happens, in order of time.

    `tick` is called now and then with the time that the play has come to. Memory holds the accounts, and of events and
    books only the last. Raises `PlayUnwritable` where the folder holds anything, can't be made or can't be written to.
    """

    def __init__(
        self, folder: Path, world: Loaded, days: int, seed: int, *, tick: Callable[[int], None] = lambda _: None
    ) -> None:
        self._folder = folder
        self._world, self._days, self._seed = world, days, seed
        self._tick = tick
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise PlayUnwritable(folder, "it is not empty", "Name a new folder, or empty this one.")
            (folder / EVENTS).mkdir()
        except OSError as error:
            raise _unwritable(folder, error, "Name a folder that can be made.") from error
        self._truth = ParquetFile(folder / TRUTH, _TRUTH)
        self._ledger = ParquetFile(folder / LEDGER, _LEDGER)
        self._fates: dict[str, _Fate] = {}
        self._lines: list[bytes] = []
        self._day = self._next_day = 0
        self._intents: Counter[str] = Counter()
        self.events = 0

    def __call__(self, each: Done | Reviewed | Entry) -> None:
        """Take in what happened."""
        try:
            if isinstance(each, Done):
                self._done(each)
            elif isinstance(each, Entry):
                self._ledger.add((each.time, each.operator, each.archetype, each.what, each.dollars, each.note))
        except (OSError, PolarsError) as error:
            raise _unwritable(self._folder, error) from error

    def finish(self, days: int) -> None:
        """Write what is left, and what was played: so many of the days."""
        try:
            self._write()
            for table in (self._truth, self._ledger, self._accounts()):
                table.finish()
            text = msgspec.json.format(msgspec.json.encode(self._about(days)), indent=2)
            (self._folder / ABOUT).write_bytes(text + b"\n")
        except (OSError, PolarsError) as error:
            raise _unwritable(self._folder, error) from error

    def _done(self, done: Done) -> None:
        if not done.event:  # nothing was sent
            return
        act, actor = done.act, done.act.actor
        time = act.time - act.time % 1_000  # as it is sent
        if time >= self._next_day:
            self._write()
            self._day = time - time % DAY
            self._next_day = self._day + DAY
        self._lines.append(done.raw)
        intent = OWN if actor is COMPANY else HONEST if actor.honest else ABUSE
        name = act.account.name
        self._truth.add((done.event, time, name, actor.name, actor.kind, intent))
        fate = self._fates.get(name)
        if fate is None:
            fate = self._fates[name] = _Fate(act.account)
        if intent is ABUSE and fate.time is None:
            fate.time, fate.actor, fate.kind = time, actor.name, actor.kind
        self._intents[intent] += 1
        self.events += 1
        if len(self._lines) >= _HELD:
            self._write()
            self._tick(time)

    def _write(self) -> None:
        """Write the events that are held, all of one day."""
        if self._lines:
            self._lines.append(b"")
            with (self._folder / EVENTS / f"{moment(self._day):%Y-%m-%d}.ndjson").open("ab") as file:
                file.write(b"\n".join(self._lines))
            self._lines = []

    def _accounts(self) -> ParquetFile:
        table = ParquetFile(self._folder / ACCOUNTS, _ACCOUNTS)
        for name, fate in self._fates.items():
            table.add((name, *_owner(fate.account), fate.time, fate.actor, fate.kind))
        return table

    def _about(self, days: int) -> dict[str, object]:
        """What `run.json` says."""
        world, fates = self._world, self._fates.values()
        return {
            "simulated": True,
            "note": "All of this is simulated, and nobody in it is real. The truth is for judging, never for deciding.",
            "world": world.world.name,
            "fingerprint": world.digest,
            "honest": world.world.honest,
            "seed": self._seed,
            "days_asked": self._days,
            "days_played": days,
            "begins": moment(world.begins).isoformat(),
            "ends": moment(world.begins + days * DAY).isoformat(),
            "events": self.events,
            "events_by_intent": {intent: self._intents[intent] for intent in (HONEST, ABUSE, OWN)},
            "accounts": len(fates),
            "accounts_honest": sum(each.account.honest for each in fates),
            "accounts_abused": sum(each.time is not None for each in fates),
            "ledger": self._ledger.rows,
        }


def _owner(account: Account) -> tuple[Cell, ...]:
    return account.owner.name, account.owner.kind, account.honest, account.created


def _unwritable(
    folder: Path, error: OSError | PolarsError, remedy: str = "Check that the disk has room, and who may write there."
) -> PlayUnwritable:
    what = error.strerror if isinstance(error, OSError) else None
    return PlayUnwritable(folder, what or str(error), remedy)
