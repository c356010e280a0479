"""What a simulated day is made of: models and prices, places and networks, customers, and the diary of events."""

from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

import msgspec

from fairgate.domain.event import moment
from fairgate.domain.windows import DAY, HOUR, SECOND


@dataclass(frozen=True, slots=True)
class Model:
    """A model on offer, with its list price in dollars per million tokens."""

    name: str
    input_price: float
    output_price: float


TINY = Model("tiny-1", 0.1, 0.4)
BASE = Model("base-2", 0.5, 2.0)
LARGE = Model("large-2", 3.0, 15.0)
FRONTIER = Model("frontier-2", 15.0, 75.0)
MODELS = (
    TINY, BASE, LARGE, FRONTIER,
    Model("reason-1", 10.0, 40.0), Model("code-2", 3.0, 12.0), Model("vision-1", 2.0, 8.0), Model("audio-1", 2.0, 6.0),
    Model("embed-1", 0.02, 0.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Country:
    """A country with its hours from UTC, the operators its people use, and the first of its four /16 of addresses."""

    code: str
    timezone: str
    offset: float
    operators: tuple[str, ...]
    block: int


def _countries() -> tuple[Country, ...]:
    rows = (
        ("US", "America/New_York", -5), ("BR", "America/Sao_Paulo", -3), ("GB", "Europe/London", 0),
        ("DE", "Europe/Berlin", 1), ("NL", "Europe/Amsterdam", 1), ("PL", "Europe/Warsaw", 1),
        ("NG", "Africa/Lagos", 1), ("IN", "Asia/Kolkata", 5.5), ("JP", "Asia/Tokyo", 9), ("AU", "Australia/Sydney", 11),
    )  # fmt: skip
    return tuple(
        Country(code, zone, offset, tuple(str(64600 + 10 * index + operator) for operator in range(4)), 64 + 4 * index)
        for index, (code, zone, offset) in enumerate(rows)
    )


COUNTRIES = _countries()
#: Operators that rent out servers, and the country their addresses are registered in.
HOSTING = {"64496": "US", "64497": "DE", "64498": "NL", "64499": "US"}
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile Safari/604",
)
PROGRAMS = ("OpenAI/Python 2.8.0", "python-httpx/0.28.1", "axios/1.12.2", "curl/8.10.1", "Go-http-client/2.0")

_OUTCOME = {True: "accepted", False: "declined"}
_DECLINE_CODE = {True: None, False: "do_not_honor"}

#: How much people do in each hour of their day: little at night, most in the forenoon and the evening.
_RHYTHM = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 12, 10, 11, 12, 12, 11, 10, 9, 10, 11, 10, 7, 4)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a request comes from, as the CDN in front tells it. A program has neither device nor time zone."""

    ip: str
    asn: str
    country: str
    user_agent: str | None
    tls_fingerprint: str | None
    bot_score: float | None
    timezone: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """An account and what its events always say. `created` is microseconds since 1970."""

    account: str
    org: str | None
    tier: str
    created: int


class SampleEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of the day: its time in microseconds since 1970, its id, and the CloudEvents JSON that is sent."""

    time: int
    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Use:
    """How a key is used: the program's prompt and tools, and how long questions and answers are (medians, tokens)."""

    key: str
    template: str
    model: Model
    asked: float = 800.0
    answered: float = 300.0
    tools: str | None = None
    abuse: bool = False


class Diary:
    """The events of one day while it is lived, and which of them were abuse."""

    def __init__(self, start: int, rng: Random) -> None:
        self.start = start
        self.abusive: set[str] = set()
        self._rng = rng
        self._events: list[SampleEvent] = []

    def events(self) -> tuple[SampleEvent, ...]:
        """The day's events by time; what goes on after its end is not in it."""
        return tuple(sorted((event for event in self._events if event.time < self.start + DAY), key=_by_time))

    def write(
        self, kind: str, time: int, seat: Seat | None, /, *, abuse: bool = False, **data: str | float | None
    ) -> str:
        """Note an event as its service would send it, and return its id. Attributes that are None are not sent."""
        identity = f"{self._rng.getrandbits(64):016x}"
        time -= time % 1_000  # services send milliseconds
        edge = {name: getattr(seat, name) for name in Seat.__slots__} if seat else {}
        envelope = {
            "specversion": "1.0",
            "id": identity,
            "source": f"simulated/{kind.partition('.')[0]}",
            "type": kind,
            "time": stamp(time),
            "datacontenttype": "application/json",
            "data": {name: value for name, value in {**data, **edge}.items() if value is not None},
        }
        self._events.append(SampleEvent(time, identity, msgspec.json.encode(envelope)))
        if abuse:
            self.abusive.add(identity)
        return identity

    def sign_up(self, who: Customer, seat: Seat, email: str, *, abuse: bool = False) -> int:
        """An account is made, given five dollars and a key; returns when it can be used."""
        account, org, tier, at = who.account, who.org, who.tier, who.created
        self.write(
            "account.signup", at, seat, abuse=abuse, account=account, org=org, email=email, tier=tier, method="password"
        )
        at += self._seconds(4.0)
        self.write(
            "credits.granted", at, None, abuse=abuse, account=account, org=org, tier=tier, amount=5.0, purpose="trial"
        )
        at += self._seconds(40.0)
        self.write("key.created", at, seat, abuse=abuse, account=account, org=org, key=f"{account}.1", tier=tier)
        return at

    def log_in(self, who: Customer, seat: Seat, time: int) -> None:
        """Somebody logs in to an account."""
        self.write(
            "account.login", time, seat, account=who.account, org=who.org, tier=who.tier,
            account_created=stamp(who.created), success=True, method="password",
        )  # fmt: skip

    def add_card(self, who: Customer, seat: Seat, time: int, card: str, *, accepted: bool = True) -> None:
        """A card of the country is added to an account."""
        self.write(
            "payment.method_added", time, seat, account=who.account, org=who.org, tier=who.tier, card=card,
            card_country=seat.country, outcome=_OUTCOME[accepted], decline_code=_DECLINE_CODE[accepted],
        )  # fmt: skip

    def pay(self, who: Customer, seat: Seat, time: int, card: str, *, accepted: bool = True) -> None:
        """A card is charged for credits."""
        seat = replace(seat, user_agent=None, tls_fingerprint=None, bot_score=None, timezone=None)
        self.write(
            "payment.charged", time, seat, account=who.account, org=who.org, tier=who.tier, card=card,
            amount=self._rng.choice((5.0, 10.0, 20.0, 50.0)), purpose="credits",
            outcome=_OUTCOME[accepted], decline_code=_DECLINE_CODE[accepted],
        )  # fmt: skip

    def ask(self, who: Customer, seat: Seat, time: int, use: Use, *, status: int = 200) -> float:
        """A model is asked; returns what that costs. Lengths are log-normal; a refused request costs nothing."""
        taken = status < 300  # noqa: PLR2004 - HTTP's successes
        asked = min(int(self._rng.lognormvariate(0.0, 1.0) * use.asked) + 1, 128_000)
        given = min(int(self._rng.lognormvariate(0.0, 0.8) * use.answered) + 1, 32_000) if taken else 0
        cost = round((asked * use.model.input_price + given * use.model.output_price) / 1e6, 6) if taken else 0.0
        self.write(
            "api.request", time, replace(seat, timezone=None), abuse=use.abuse, account=who.account, org=who.org,
            key=f"{who.account}.{use.key}", tier=who.tier, account_created=stamp(who.created), model=use.model.name,
            endpoint="chat", input_tokens=asked, output_tokens=given, cost=cost, status=status,
            prompt_template=use.template, tool_schema=use.tools,
        )  # fmt: skip
        return cost

    def _seconds(self, mean: float) -> int:
        return 500_000 + int(self._rng.expovariate(1.0 / mean) * SECOND)


def chance(rng: Random, share: float) -> bool:
    """Whether something happens that happens in this share of cases."""
    return rng.random() < share


def name_of(rng: Random, kind: str) -> str:
    """A name that says what is named, and nothing of who it belongs to."""
    return f"{kind}_{rng.getrandbits(48):012x}"


def stamp(time: int) -> str:
    """RFC 3339 of microseconds since 1970."""
    return moment(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def customer(rng: Random, tier: str, created: int, *, org: bool = False) -> Customer:
    """A customer made at a time, alone or in an organisation."""
    return Customer(name_of(rng, "acct"), name_of(rng, "org") if org else None, tier, created)


def long_ago(rng: Random, start: int) -> int:
    """A time between a month and three years before the day."""
    return start - rng.randrange(31 * DAY, 1_000 * DAY)


def household(rng: Random, country: Country, *, program: bool = False) -> Seat:
    """A line at home: an address of its own, one in six of version 6."""
    operator, third = rng.choice(country.operators[:2]), rng.randrange(1, 256)
    if chance(rng, 1 / 6):
        ip = f"2001:db8:{(country.block << 8) + third:x}:{rng.randrange(1, 65536):x}::{rng.randrange(2, 99):x}"
    else:
        ip = f"100.{country.block + rng.randrange(1, 4)}.{third}.{rng.randrange(1, 255)}"
    return _seat(rng, ip, operator, country, program=program)


def telephone(rng: Random, country: Country) -> Seat:
    """A mobile line: one of the six addresses that all of the operator's customers share."""
    operator = rng.randrange(2, 4)
    seat = _seat(rng, f"100.{country.block}.{operator}.{rng.randrange(1, 7)}", country.operators[operator], country)
    return replace(seat, user_agent=BROWSERS[3])


def server(rng: Random, ip: str, asn: str) -> Seat:
    """A rented server."""
    return Seat(ip, asn, HOSTING[asn], rng.choice(PROGRAMS), f"t13d{rng.choice(('1516h2', '1010h1', '1715h1'))}", 0.95)


def _seat(rng: Random, ip: str, asn: str, country: Country, *, program: bool = False) -> Seat:
    """One in front of which a person sits, or a program that a person runs there."""
    if program:
        return Seat(ip, asn, country.code, rng.choice(PROGRAMS), "t13d1010h1", 0.9)
    device = name_of(rng, "dev")
    score = round(rng.betavariate(1.2, 12.0), 3)
    return Seat(ip, asn, country.code, rng.choice(BROWSERS), "t13d1516h2", score, country.timezone, device)


def waking(rng: Random, start: int, offset: float) -> int:
    """A time of the day when somebody in that zone begins to do something."""
    first = int(start // HOUR + offset)
    weights = [_RHYTHM[(first + hour) % 24] for hour in range(24)]
    return start + rng.choices(range(24), weights)[0] * HOUR + rng.randrange(HOUR)


def steps(rng: Random, begin: int, count: int, mean: float) -> list[int]:
    """So many times from `begin` on, `mean` seconds apart on average."""
    gaps = (int(rng.expovariate(1.0 / mean) * SECOND) for _ in range(count))
    return list(accumulate(gaps, initial=begin))[1:]


def _by_time(event: SampleEvent) -> tuple[int, str]:
    return event.time, event.id
