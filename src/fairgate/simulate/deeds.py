"""What can be done at an AI API, each as the act that its services send: signing up, paying, asking a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from fairgate.simulate.acts import Account, Act, Value
from fairgate.simulate.day_world import Model, Seat
from fairgate.simulate.draws import CONVERSATION, Talk
from fairgate.simulate.service import stamp

#: The longest prompt and answer that a model takes and gives, in tokens.
_MOST_ASKED, _MOST_ANSWERED = 128_000, 32_000


#: What is known of where an act comes from, where that is not everything.
_EDGE: Mapping[str, tuple[str, ...]] = {
    "api.request": tuple(name for name in Seat.__slots__ if name != "timezone"),
    "payment.charged": ("ip", "asn", "country", "device"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A card, by the processor's name for it, and its bank's country."""

    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Use:
    """How a key is used: by which program, with its prompt and tools, for whom, and how much is said.

    `longer` makes prompts and answers longer than those of `talk` by a factor.
    """

    key: str
    template: str
    model: Model
    talk: Talk = CONVERSATION
    longer: float = 1.0
    tools: str | None = None
    client: str | None = None
    end_user: str | None = None


@dataclass(frozen=True, slots=True)
class Sitting:
    """An account used from a place; `abuse` where that is not by its owner, or its owner abuses it.

    Each method is a deed at a time, in microseconds since 1970.
    """

    who: Account
    seat: Seat
    abuse: bool = False

    def sign_up(self, time: int, email: str, *, phone: str | None = None, by: str | None = None) -> Act:
        """The account is made; `by` is the account whose invitation is used."""
        return self._act("account.signup", time, email=email, phone=phone, referred_by=by, method="password")

    def verify(self, time: int, method: str, *, phone: str | None = None, success: bool = True) -> Act:
        """A mailbox or a telephone is shown to be somebody's, or not."""
        return self._act("account.verified", time, method=method, phone=phone, success=success)

    def log_in(self, time: int, *, success: bool = True) -> Act:
        """Somebody logs in, or fails to."""
        return self._act("account.login", time, success=success, method="password", account_created=self._created)

    def reset_password(self, time: int, step: str) -> Act:
        """A new password is asked for (`asked`) or set (`done`)."""
        return self._act("password.reset", time, step=step, account_created=self._created)

    def make_key(self, time: int, key: str) -> Act:
        """A key is made."""
        return self._act("key.created", time, key=f"{self.who.name}.{key}", account_created=self._created)

    def revoke_key(self, time: int, key: str, cause: str) -> Act:
        """A key is made useless."""
        return self._act("key.revoked", time, key=f"{self.who.name}.{key}", cause=cause)

    def add_card(self, time: int, card: Card, *, declined: str | None = None) -> Act:
        """A card is added, or declined with the bank's word for why."""
        return self._act("payment.method_added", time, **_paying(card, declined))

    def charge(self, time: int, card: Card, amount: float, *, declined: str | None = None) -> Act:
        """A card is charged for credits, or declined."""
        return self._act("payment.charged", time, amount=amount, purpose="credits", **_paying(card, declined))

    def claim_referral(self, time: int, by: Account) -> Act:
        """A newcomer uses somebody's invitation."""
        return self._act("referral.claimed", time, referred_by=by.name, referrer_created=stamp(by.created))

    def invite(self, time: int, email: str) -> Act:
        """A colleague is invited."""
        return self._act("member.invited", time, email=email, role="member")

    def ask(self, time: int, use: Use, rng: Random) -> Act:
        """A model is asked. It costs what the tokens do at list price."""
        asked = min(max(1, round(use.talk.asked.draw(rng) * use.longer)), _MOST_ASKED)
        answered = min(max(1, round(use.talk.answered.draw(rng) * use.longer)), _MOST_ANSWERED)
        cost = round((asked * use.model.input_price + answered * use.model.output_price) / 1e6, 6)
        act = self._act(
            "api.request", time, key=f"{self.who.name}.{use.key}", account_created=self._created,
            model=use.model.name, endpoint="chat", input_tokens=asked, output_tokens=answered, cost=cost, status=200,
            client=use.client, end_user=use.end_user, prompt_template=use.template, tool_schema=use.tools,
        )  # fmt: skip
        act.dollars = cost
        return act

    @property
    def _created(self) -> str:
        return stamp(self.who.created)

    def _act(self, kind: str, time: int, **data: Value) -> Act:
        """An act with what the CDN in front says of where it comes from."""
        edge = {name: getattr(self.seat, name) for name in _EDGE.get(kind, Seat.__slots__)}
        return _sent(kind, time, self.who, {**data, **edge}, abuse=self.abuse)


def grant(who: Account, time: int, dollars: float, purpose: str) -> Act:
    """Compute is given away by the company."""
    return _sent("credits.granted", time, who, {"amount": round(dollars, 6), "purpose": purpose})


def settle(who: Account, time: int, dollars: float, left: float) -> Act:
    """The company's billing takes credits for what was used."""
    return _sent("credits.spent", time, who, {"amount": round(dollars, 6), "left": round(left, 6), "purpose": "usage"})


def _paying(card: Card, declined: str | None) -> dict[str, Value]:
    outcome = "accepted" if declined is None else "declined"
    return {"card": card.name, "card_country": card.country, "outcome": outcome, "decline_code": declined}


def _sent(kind: str, time: int, who: Account, data: dict[str, Value], *, abuse: bool = False) -> Act:
    """An act as it is sent: to the millisecond, without the attributes that have no value."""
    return Act(
        time - time % 1_000, kind, who, {name: each for name, each in data.items() if each is not None}, abuse=abuse
    )
