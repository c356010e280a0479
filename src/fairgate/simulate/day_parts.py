"""What a simulated day is made of: customers, what they use, and the diary of events."""

from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

import msgspec

from fairgate.domain.event import moment
from fairgate.domain.windows import DAY, SECOND
from fairgate.simulate.day_world import BASE, FRONTIER, LARGE, TINY, Model, Seat, chance, name_of

_FIRST = ("mira", "jonas", "ana", "lin", "tomek", "ade", "priya", "kenji", "sofia", "liam", "noor", "eva", "raul")
_LAST = ("koch", "silva", "okafor", "zhao", "nowak", "sharma", "sato", "evans", "visser", "moreau", "costa", "berg")
#: Providers of mailboxes, by how often people have one there.
MAIL = ("gmail.com", "gmail.com", "gmail.com", "outlook.com", "icloud.com", "proton.me", "mail.example.net")
#: Programs that many people use, each with one prompt for all of them.
_TOOLS = ("editor", "notes", "shell", "chatbox", "translate")

_OUTCOME = {True: "accepted", False: "declined"}
_DECLINE_CODE = {True: None, False: "do_not_honor"}


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
    """How a key is used: the program with its prompt and tools, for whom, and how much is said (medians, tokens)."""

    key: str
    template: str
    model: Model
    asked: float = 800.0
    answered: float = 300.0
    tools: str | None = None
    client: str | None = None
    end_user: str | None = None
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

    def sign_up(self, who: Customer, seat: Seat, email: str, *, phone: str | None = None, abuse: bool = False) -> int:
        """An account is made and verified, given five dollars and a key; returns when it can be used."""
        account, org, tier, at = who.account, who.org, who.tier, who.created
        self.write(
            "account.signup", at, seat, abuse=abuse, account=account, org=org, email=email, tier=tier, method="password"
        )
        for method, number in (("email", None), ("phone", phone)):
            if method == "email" or number:
                at += self._seconds(30.0)
                self.write(
                    "account.verified", at, seat, abuse=abuse, account=account, org=org, tier=tier, method=method,
                    phone=number, success=True,
                )  # fmt: skip
        at += self._seconds(4.0)
        self.grant(who, at, "trial", abuse=abuse)
        at += self._seconds(40.0)
        self.write(
            "key.created", at, seat, abuse=abuse, account=account, org=org, key=f"{account}.1", tier=tier,
            account_created=stamp(who.created),
        )  # fmt: skip
        return at

    def grant(self, who: Customer, time: int, purpose: str, *, abuse: bool = False) -> None:
        """Five dollars are given."""
        self.write(
            "credits.granted", time, None, abuse=abuse, account=who.account, org=who.org, tier=who.tier, amount=5.0,
            purpose=purpose,
        )  # fmt: skip

    def settle(self, who: Customer, time: int, spent: float, *, abuse: bool = False) -> None:
        """Billing takes from an account's five dollars what it spent."""
        self.write(
            "credits.spent", time, None, abuse=abuse, account=who.account, org=who.org, tier=who.tier,
            amount=round(min(spent, 5.0), 6), left=round(max(5.0 - spent, 0.0), 6), purpose="usage",
        )  # fmt: skip

    def log_in(self, who: Customer, seat: Seat, time: int, *, success: bool = True) -> None:
        """Somebody logs in to an account, or fails to."""
        self.write(
            "account.login", time, seat, account=who.account, org=who.org, tier=who.tier,
            account_created=stamp(who.created), success=success, method="password",
        )  # fmt: skip

    def forget_password(self, who: Customer, seat: Seat, time: int, tries: int) -> int:
        """So many log-ins fail, then a new password is set; returns when that is done."""
        for _ in range(tries):
            self.log_in(who, seat, time, success=False)
            time += self._seconds(20.0)
        for step in ("asked", "done"):
            self.write(
                "password.reset", time, seat, account=who.account, org=who.org, tier=who.tier,
                account_created=stamp(who.created), step=step,
            )  # fmt: skip
            time += self._seconds(60.0)
        return time

    def change_key(self, who: Customer, seat: Seat, time: int, key: str) -> None:
        """A new key is made, and the one that it takes the place of is revoked."""
        new, old, at = f"{who.account}.{key}", f"{who.account}.{key}-old", time + self._seconds(600.0)
        self.write(
            "key.created", time, seat, account=who.account, org=who.org, key=new, tier=who.tier,
            account_created=stamp(who.created),
        )  # fmt: skip
        self.write(
            "key.revoked", at, seat, account=who.account, org=who.org, key=old, tier=who.tier, cause="owner",
        )  # fmt: skip

    def claim_referral(self, who: Customer, seat: Seat, time: int, by: Customer) -> None:
        """A newcomer uses somebody's invitation, and is given credits for it."""
        self.write(
            "referral.claimed", time, seat, account=who.account, org=who.org, tier=who.tier, referred_by=by.account,
            referrer_created=stamp(by.created),
        )  # fmt: skip
        self.grant(who, time + self._seconds(4.0), "referral")

    def invite(self, who: Customer, seat: Seat, time: int, colleagues: int) -> None:
        """So many colleagues are invited into the customer's organisation."""
        for _ in range(colleagues):
            self.write(
                "member.invited", time, seat, account=who.account, org=who.org, tier=who.tier, role="member",
                email=f"{name_of(self._rng, 'staff')}@team.example.net",
            )  # fmt: skip
            time += self._seconds(30.0)

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
            client=use.client, end_user=use.end_user, prompt_template=use.template, tool_schema=use.tools,
        )  # fmt: skip
        return cost

    def _seconds(self, mean: float) -> int:
        return 500_000 + int(self._rng.expovariate(1.0 / mean) * SECOND)


def stamp(time: int) -> str:
    """RFC 3339 of microseconds since 1970."""
    return moment(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def customer(rng: Random, tier: str, created: int, *, org: bool = False) -> Customer:
    """A customer made at a time, alone or in an organisation."""
    return Customer(name_of(rng, "acct"), name_of(rng, "org") if org else None, tier, created)


def long_ago(rng: Random, start: int) -> int:
    """A time between a month and three years before the day."""
    return start - rng.randrange(31 * DAY, 1_000 * DAY)


def steps(rng: Random, begin: int, count: int, mean: float) -> list[int]:
    """So many times from `begin` on, `mean` seconds apart on average."""
    gaps = (int(rng.expovariate(1.0 / mean) * SECOND) for _ in range(count))
    return list(accumulate(gaps, initial=begin))[1:]


def use_of(rng: Random) -> Use:
    """A program of one's own, or one that many use."""
    model = rng.choices((TINY, BASE, LARGE, FRONTIER), (3, 4, 3, 1))[0]
    if chance(rng, 0.4):
        tool = rng.choice(_TOOLS)
        return Use("1", f"tpl_{tool}", model, client=tool)
    return Use("1", name_of(rng, "tpl"), model)


def mailbox(rng: Random, domain: str) -> str:
    """A mailbox as people choose them."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = rng.choice(("", f"{rng.randrange(10, 99)}", f"{rng.randrange(1970, 2010)}"))
    return f"{rng.choice((f'{first}.{last}', f'{first[0]}{last}', f'{last}{first}', first))}{number}@{domain}"


def _by_time(event: SampleEvent) -> tuple[int, str]:
    return event.time, event.id
