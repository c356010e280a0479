"""What can be done at an AI API, each as the act that its services send: signing up, paying, asking a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from fairgate.simulate.acts import Account, Act, Actor, Value
from fairgate.simulate.draws import CONVERSATION, Talk
from fairgate.simulate.models import Model
from fairgate.simulate.places import Seat

#: The longest prompt and answer that a model takes and gives, in tokens.
_MOST_ASKED, _MOST_ANSWERED = 128_000, 32_000


#: What is known of where an act comes from, where that is not everything.
_EDGE: Mapping[str, tuple[str, ...]] = {
    "api.request": tuple(name for name in Seat.__slots__ if name != "timezone"),
    "payment.charged": ("ip", "asn", "country", "device"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A card, by the processor's name for it, and its bank's country. Whose card is `stolen` takes charges back."""

    name: str
    country: str
    stolen: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """How a key is used: by which program, with its prompt and tools, for whom, and how much is said.

    `longer` makes prompts and answers longer than those of `talk` by a factor. `forbidden` is how plainly what is asked
    is against the policy, from 0 to 1.
    """

    key: str
    template: str
    model: Model
    talk: Talk = CONVERSATION
    longer: float = 1.0
    tools: str | None = None
    client: str | None = None
    end_user: str | None = None
    forbidden: float = 0.0


class Asking:
    """One way of asking from one place, over and over."""

    def __init__(self, said: Act, use: Use) -> None:
        self._said = said
        self._talk = use.talk
        self._longer = use.longer
        self._prices = use.model.input_price / 1e6, use.model.output_price / 1e6
        self._forbidden = use.forbidden

    def ask(self, time: int, rng: Random) -> Act:
        """A request at a time."""
        said, talk, longer = self._said, self._talk, self._longer
        asked = min(max(1, round(talk.asked.draw(rng) * longer)), _MOST_ASKED)
        answered = min(max(1, round(talk.answered.draw(rng) * longer)), _MOST_ANSWERED)
        cost = round(asked * self._prices[0] + answered * self._prices[1], 6)
        data = {**said.data, "input_tokens": asked, "output_tokens": answered, "cost": cost}
        return Act(time - time % 1_000, said.type, said.account, said.actor, data, cost, "", self._forbidden)


@dataclass(frozen=True, slots=True)
class Sitting:
    """An account used from a place, by its owner or by the `intruder` named.

    Each method is a deed at a time, in microseconds since 1970.
    """

    who: Account
    seat: Seat
    intruder: Actor | None = None

    def sign_up(self, time: int, email: str, *, phone: str | None = None, by: str | None = None) -> Act:
        """The account is made; `by` is the account whose invitation is used."""
        return self._act("account.signup", time, email=email, phone=phone, referred_by=by, method="password")

    def verify(self, time: int, method: str, *, phone: str | None = None, success: bool = True) -> Act:
        """A mailbox or a telephone is shown to be somebody's, or not."""
        return self._act("account.verified", time, method=method, phone=phone, success=success)

    def log_in(self, time: int, *, success: bool = True) -> Act:
        """Somebody logs in, or fails to."""
        return self._act("account.login", time, success=success, method="password", account_created=self.who.since)

    def reset_password(self, time: int, step: str) -> Act:
        """A new password is asked for (`asked`) or set (`done`)."""
        return self._act("password.reset", time, step=step, account_created=self.who.since)

    def make_key(self, time: int, key: str) -> Act:
        """A key is made."""
        return self._act("key.created", time, key=f"{self.who.name}.{key}", account_created=self.who.since)

    def revoke_key(self, time: int, key: str, cause: str) -> Act:
        """A key is made useless."""
        return self._act("key.revoked", time, key=f"{self.who.name}.{key}", cause=cause)

    def add_card(self, time: int, card: Card, *, declined: str | None = None) -> Act:
        """A card is added, or declined with the bank's word for why."""
        return self._act("payment.method_added", time, **_paying(card, declined))

    def charge(self, time: int, card: Card, amount: float, *, declined: str | None = None, disputed: str = "") -> Act:
        """A card is charged for credits, or declined; `disputed` is why the charge will be taken back later."""
        act = self._act("payment.charged", time, amount=amount, purpose="credits", **_paying(card, declined))
        if declined is None:
            act.disputed = disputed or ("fraudulent" if card.stolen else "")
        return act

    def claim_referral(self, time: int, by: Account) -> Act:
        """A newcomer uses somebody's invitation."""
        return self._act("referral.claimed", time, referred_by=by.name, referrer_created=by.since)

    def invite(self, time: int, email: str) -> Act:
        """A colleague is invited."""
        return self._act("member.invited", time, email=email, role="member")

    def ask(self, time: int, use: Use, rng: Random) -> Act:
        """A model is asked. It costs what the tokens do at list price."""
        return self.asking(use).ask(time, rng)

    def asking(self, use: Use) -> Asking:
        """A key that is used in one way for a while: what each request says is put together once."""
        said = self._act(
            "api.request", 0, key=f"{self.who.name}.{use.key}", account_created=self.who.since, model=use.model.name,
            endpoint="chat", status=200, client=use.client, end_user=use.end_user, prompt_template=use.template,
            tool_schema=use.tools,
        )  # fmt: skip
        return Asking(said, use)

    def _act(self, kind: str, time: int, **data: Value) -> Act:
        """An act with what the CDN in front says of where it comes from."""
        edge: dict[str, Value] = {name: getattr(self.seat, name) for name in _EDGE.get(kind, Seat.__slots__)}
        return _sent(kind, time, self.who, self.intruder or self.who.owner, {**data, **edge})


def grant(who: Account, time: int, dollars: float, purpose: str) -> Act:
    """Compute is given away by the company."""
    return _sent("credits.granted", time, who, who.owner, {"amount": round(dollars, 6), "purpose": purpose})


def settle(who: Account, time: int, dollars: float, left: float) -> Act:
    """The company's billing takes credits for what was used."""
    spent: dict[str, Value] = {"amount": round(dollars, 6), "left": round(left, 6), "purpose": "usage"}
    return _sent("credits.spent", time, who, who.owner, spent)


def _paying(card: Card, declined: str | None) -> dict[str, Value]:
    outcome = "accepted" if declined is None else "declined"
    return {"card": card.name, "card_country": card.country, "outcome": outcome, "decline_code": declined}


def _sent(kind: str, time: int, who: Account, actor: Actor, data: dict[str, Value]) -> Act:
    """An act as it is sent: to the millisecond, without the attributes that have no value."""
    return Act(time - time % 1_000, kind, who, actor, {name: each for name, each in data.items() if each is not None})
