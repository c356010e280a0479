"""A small pack, events for it, and the pipeline and server around it, for the tests that need more than one stage."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fairgate.backends.embedded.key_runs import FolderKeyRuns
from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.event import Event, microseconds
from fairgate.domain.secret import Secrets, salt_of
from fairgate.domain.windows import SECOND
from fairgate.ingest.decode import Decoder
from fairgate.kernel.rows import Rows
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.seals import Seals
from fairgate.wiring import checked_from

#: Keys of repeats that are held in memory: few, so that there are files of them.
_FEW = 32
SECRET = 0x5EED_5EED_5EED_5EED
SECRETS = Secrets({1: SECRET})
#: Monday, 2026-01-05 10:31:12 UTC.
NOW = microseconds(datetime(2026, 1, 5, 10, 31, 12, tzinfo=UTC))

HEAD = """
[pack]
name = "support"
version = "1"

[event."account.signup".attributes]
account = { entity = "account", required = true }
email = { type = "email", entity = "email", personal = true }
ip = { type = "ip", entity = "ip", personal = true }
device = { entity = "device" }
plan = "text"
tokens = "number"
seats = "integer"
trusted = "bool"
born = "time"

[event."api.request".attributes]
account = { entity = "account", required = true }
ip = { type = "ip", entity = "ip", personal = true }
model = "text"
cost = "number"
seats = "integer"

[[reason]]
code = "burst"
user = "Many accounts were made in a short time."
reviewer = "Burst of sign-ups"
executive = "Accounts are being made in bulk."

[[reason]]
code = "spend"
user = "Unusual use."
reviewer = "Spending out of line"
executive = "Credits are being drained."
"""

LISTS = """
[[list]]
name = "friends"
entity = "account"
effect = "allow"
entries = ["friend"]

[[list]]
name = "banned"
entity = "account"
effect = "ban"
reason = "burst"

[[list]]
name = "bad_mail"
entity = "email"
effect = "hold"
reason = "burst"

[[list]]
name = "tor"
entity = "ip"
entries = ["192.0.2.66"]
"""

RULES = """
[[segment]]
name = "enterprise"
on = "account.signup"
when = 'plan == "enterprise"'
costs = { allow = { bad = 1, good = 0 } }

[[segment]]
name = "default"

[[rule]]
name = "burst"
on = "account.signup"
when = 'count("account.signup", by=ip, over="1h") >= 3'
score = 3.0
action = "challenge"
reason = "burst"
group = "network"
why = "{count} sign-ups from {ip.network}"
mode = "live"

[[rule]]
name = "throwaway"
on = "account.signup"
when = "email.disposable"
score = 2.0
reason = "burst"
group = "identity"
mode = "live"

[[rule]]
name = "watched_model"
on = "api.request"
when = 'last(model, by=account) == "big" and is_new(model, by=account) and distinct(ip, by=account, over="24h") >= 2'
score = 1.0
reason = "spend"
mode = "shadow"

[[rule]]
name = "tried"
on = "api.request"
when = 'cost > 5 and not ip in list("tor")'
score = 4.0
action = "hold"
reason = "spend"
group = "payment"
mode = "canary 40%"
by = "account"

[[rule]]
name = "capped"
on = "api.request"
when = 'total(cost, by=account, over="1h") > 12 or mean(cost, by=ip, over="10m") > 50'
score = 1.0
action = "throttle"
reason = "spend"
daily_cap = 2
mode = "live"

[[rule]]
name = "breaks"
on = ["account.signup", "api.request"]
when = "log(seats) > 1000"
mode = "live"

[[rule]]
name = "breaks_in_a_feature"
on = "api.request"
when = 'total(log(seats), by=account, over="1h") > 1000'
mode = "live"
"""

ACTIONS = """
[action.throttle]
for = "1h"
rate = 0.5

[action.challenge]
for = "2h"
challenge = "captcha"
ends_on = "api.request"

[action.hold]
for = "1d"
spend = false
models = ["small"]

[action.suspend]
use = false
"""

PACK = HEAD + LISTS + RULES + ACTIONS
#: With this many seats the rules named `breaks` raise, under `breaking_log`.
BREAKING_SEATS = 13


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


def breaking_log(value: float) -> float:
    """A function of the language with a fault in it: plant it before a pack is compiled."""
    if value == BREAKING_SEATS:
        raise ZeroDivisionError
    return value


def checked(text: str = PACK) -> CheckedPack:
    """A pack of one file, checked."""
    return checked_from({"pack.toml": text})


def new_engine(text: str = PACK, secret: int = SECRET) -> Engine:
    """An engine for a pack of one file."""
    return Engine(checked(text), secret, Rows)


def body(data: Mapping[str, object] | None = None, **changes: object) -> bytes:
    """A sign-up as a CloudEvent in JSON, with these attributes and members changed; None takes one away."""
    attributes = {"account": "a", "email": "a@example.com", "ip": "198.51.100.7", **(data or {})}
    event = {"specversion": "1.0", "id": "1", "source": "test", "type": "account.signup"}
    return json.dumps(_without_none({**event, "data": _without_none(attributes), **changes})).encode()


def request(number: int, account: str = "a", **data: object) -> bytes:
    """An API request as a CloudEvent in JSON."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"r{number}",
            "source": "gateway",
            "type": "api.request",
            "data": {"account": account, **data},
        }
    ).encode()


def read(decoder: Decoder, raw: bytes, received: int = NOW) -> Event:
    """The event of a body that must be taken."""
    taken = decoder.single(raw, received)
    assert isinstance(taken, Event), taken
    return taken


def traffic(count: int, *, start: int = 0, step: int = 7 * SECOND) -> list[tuple[bytes, int]]:
    """Bodies with the time at which each is received: sign-ups and requests that fire every rule of the pack."""
    found = []
    for number in range(start, start + count):
        received = NOW + number * step
        account = f"a{number % 17}" if number % 19 else "friend"
        if number % 3 == 0:
            data: dict[str, object] = {
                "account": account,
                "ip": f"198.51.100.{number % 4}",
                "email": f"u{number}@{'mailinator.com' if number % 2 else 'example.com'}",
                "plan": "enterprise" if number % 5 == 0 else "free",
                "born": "2026-01-05T12:00:00+02:00",
            }
            raw = body(id=f"s{number}", data=data)
        else:
            data = {
                "ip": f"203.0.113.{number % 5}",
                "model": ("big", "small", "mid", "tiny")[number % 4],
                "cost": number % 11,
            }
            seats = {"seats": BREAKING_SEATS} if number % 13 == 0 else {}
            raw = request(number, account, **data, **seats)
        found.append((raw, received))
    return found


@contextmanager
def open_pipeline(
    folder: Path,
    text: str = PACK,
    secret: int = SECRET,
    clock: SetClock | None = None,
    secrets: Secrets | None = None,
) -> Iterator[Pipeline]:
    """The live pipeline on a folder, recovered."""
    with new_pipeline(folder, text, secret, clock, secrets) as pipeline:
        pipeline.recover()
        yield pipeline


@contextmanager
def new_pipeline(
    folder: Path,
    text: str = PACK,
    secret: int = SECRET,
    clock: SetClock | None = None,
    secrets: Secrets | None = None,
) -> Iterator[Pipeline]:
    """The same before it has recovered."""
    used = secrets or Secrets({1: secret})
    with open_log(folder / "log") as log, seals_in(folder, used, writable=True) as seals:
        engine = Engine(checked(text), used.current, Rows, version=used.newest, older=used.before(used.newest))
        snapshots, runs = FolderSnapshots(folder / "snapshots"), FolderKeyRuns(folder / "repeats")
        with closing(Repeats(salt_of(used.current, "repeats"), runs, full=_FEW)) as repeats:
            yield Pipeline(engine, log, snapshots, clock or SetClock(), used.current, seals, repeats)


@contextmanager
def seals_in(folder: Path, secrets: Secrets = SECRETS, *, writable: bool = False) -> Iterator[Seals]:
    """The seals of a folder."""
    with closing(FileSubjectKeys(folder / "subjects.keys", writable=writable)) as keys:
        yield Seals(keys, secrets)


def _without_none(table: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in table.items() if value is not None}
