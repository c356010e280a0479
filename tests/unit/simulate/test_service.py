"""What a decision does to an account, for how long, and what people make of it who look at it."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Account, Act, Actor, Seen, Value
from fairgate.simulate.service import Done, Reviewed, Service, Verdict
from fairgate.simulate.world_file import World
from tests.unit.simulate.worlds import world_of

T0 = 1_800_000_000_000_000
OWNER = Account("acct_1", "payg", T0, Actor("o", "hobbyist", honest=True, hands="person"), org="org_1")
THIEF = Actor("t", "takeover", honest=False, hands="robot")
FARMER = Account("acct_2", "free", T0, Actor("f", "credit_farm", honest=False, hands="robot"))


class Company:
    """A service that decides what the test says, by an act's number, and all that it was told."""

    def __init__(self, world: World, actions: dict[int, Action], seed: int = 1) -> None:
        self.told: list[Done | Reviewed] = []
        self.sent: list[dict[str, object]] = []
        self.actions = actions
        self.service = Service(world, Random(seed), self.decide, self.told.append)

    def decide(self, raw: bytes, _time: int) -> Verdict:
        self.sent.append(json.loads(raw))
        acts = [each for each in self.sent if each["type"] != "account.label"]
        return Verdict(self.actions.get(len(acts), Action.ALLOW), ("rule",))

    def ask(self, who: Account, after: int, *, by: Actor | None = None, forbidden: float = 0.0) -> Seen:
        return self.do("api.request", who, after, by=by, dollars=1.0, forbidden=forbidden, model="m")

    def do(  # noqa: PLR0913 - as an act has
        self, kind: str, who: Account, after: int, *, by: Actor | None = None, dollars: float = 0.0,
        forbidden: float = 0.0, disputed: str = "", **data: Value,
    ) -> Seen:  # fmt: skip
        act = Act(T0 + after, kind, who, by or who.owner, {**data}, dollars, disputed, forbidden)
        seen = self.service.do(act)
        assert seen is not None  # nobody waits where nothing is scarce
        return seen

    def said(self, kind: str) -> list[dict[str, object]]:
        """What was sent of a type, with its time."""
        return [{**each["data"], "time": each["time"]} for each in self.sent if each["type"] == kind]  # type: ignore[dict-item]

    @property
    def reviews(self) -> list[Reviewed]:
        return [each for each in self.told if isinstance(each, Reviewed)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_of(tmp_path).world


def test_what_is_sent_is_a_cloud_event_with_what_the_data_base_has(world: World) -> None:
    company = Company(world, {})
    assert company.ask(OWNER, SECOND) == Seen.SERVED
    company.ask(FARMER, 2 * SECOND)
    assert company.sent[0] == {
        "specversion": "1.0", "id": "1", "source": "simulated/api", "type": "api.request",
        "time": "2027-01-15T08:00:01.000Z", "datacontenttype": "application/json",
        "data": {"account": "acct_1", "org": "org_1", "tier": "payg", "model": "m"},
    }  # fmt: skip
    assert company.sent[1]["data"] == {"account": "acct_2", "tier": "free", "model": "m"}


def test_a_throttled_account_has_few_turns_an_hour_for_a_while(world: World) -> None:
    company = Company(world, {1: Action.THROTTLE})
    first = [company.ask(OWNER, minute * MINUTE) for minute in range(6)]
    assert first == [Seen.SERVED, Seen.SERVED, Seen.SERVED, Seen.SLOWED, Seen.SLOWED, Seen.SLOWED]
    assert company.ask(OWNER, HOUR) == Seen.SERVED
    assert [company.ask(OWNER, 25 * HOUR + minute * MINUTE) for minute in range(5)] == [Seen.SERVED] * 5
    assert company.ask(FARMER, 25 * HOUR + 6 * MINUTE) == Seen.SERVED


def test_what_costs_nothing_is_not_slowed(world: World) -> None:
    company = Company(world, {1: Action.THROTTLE})
    company.ask(OWNER, 0)
    log_ins = [company.do("account.login", OWNER, minute) for minute in range(1, 6)]
    assert log_ins == [Seen.SERVED] * 5


def test_who_passes_a_challenge_is_left_alone_for_a_while(world: World) -> None:
    company = Company(world, dict.fromkeys(range(1, 9), Action.CHALLENGE))
    assert company.ask(OWNER, 0) == Seen.CHALLENGED
    assert company.ask(OWNER, HOUR) == Seen.SERVED
    assert company.ask(OWNER, 47 * HOUR) == Seen.SERVED
    assert company.ask(OWNER, 49 * HOUR) == Seen.CHALLENGED
    [first, *_] = company.told
    assert isinstance(first, Done)
    assert abs(first.wait - 30 * SECOND) < SECOND
    assert first.cost == 0


def test_an_intruder_does_the_challenge_badly_where_the_owner_would_not(world: World) -> None:
    company = Company(world, dict.fromkeys(range(1, 9), Action.CHALLENGE))
    assert company.ask(OWNER, 0, by=THIEF) == Seen.REFUSED
    assert company.ask(OWNER, MINUTE) == Seen.CHALLENGED


def test_whoever_solves_them_for_money_pays_and_fails_now_and_then(world: World) -> None:
    company = Company(world, dict.fromkeys(range(1, 400), Action.CHALLENGE))
    accounts = [replace(FARMER, name=f"acct_{number}") for number in range(300)]
    seen = [company.ask(each, 0) for each in accounts]
    assert set(seen) == {Seen.CHALLENGED, Seen.REFUSED}
    assert 0.4 < seen.count(Seen.CHALLENGED) / 300 < 0.6
    assert all(0.001 <= each.cost <= 0.003 for each in company.told if isinstance(each, Done))


@pytest.mark.parametrize(("action", "seen"), [(Action.HOLD, Seen.HELD), (Action.SUSPEND, Seen.CLOSED)])
def test_who_is_stopped_waits_for_a_person(world: World, action: Action, seen: Seen) -> None:
    company = Company(world, {1: action, 2: action})
    assert company.ask(OWNER, 0) == seen
    assert company.ask(FARMER, 0) == seen
    assert [company.ask(each, HOUR) for each in (OWNER, FARMER)] == [Seen.CLOSED, Seen.CLOSED]
    assert len(company.sent) == 2  # what a closed account tries is not sent
    company.actions.clear()
    assert [company.ask(each, 3 * HOUR) for each in (OWNER, FARMER)] == [Seen.SERVED, Seen.CLOSED]
    assert [(each.account.name, each.closed, round(each.cost, 6)) for each in company.reviews] == [
        ("acct_1", False, 4.0), ("acct_2", True, 4.0),
    ]  # fmt: skip


def test_the_banned_are_looked_at_where_they_appeal(world: World) -> None:
    company = Company(world, {1: Action.BAN, 2: Action.BAN})
    assert [company.ask(each, 0) for each in (OWNER, FARMER)] == [Seen.CLOSED, Seen.CLOSED]
    assert [company.ask(each, 3 * HOUR) for each in (OWNER, FARMER)] == [Seen.SERVED, Seen.CLOSED]
    assert [each.account.name for each in company.reviews] == ["acct_1"]


def test_an_intruder_is_locked_out_and_the_owner_goes_on(world: World) -> None:
    company = Company(world, {1: Action.HOLD})
    assert company.ask(OWNER, 0, by=THIEF) == Seen.HELD
    assert company.ask(OWNER, 3 * HOUR) == Seen.SERVED
    assert company.ask(OWNER, 3 * HOUR, by=THIEF) == Seen.CLOSED


def test_what_people_find_is_said_in_labels_with_what_is_known_of_the_account(world: World) -> None:
    company = Company(world, {4: Action.HOLD, 5: Action.SUSPEND})
    for who in (OWNER, FARMER):
        company.do("account.signup", who, 0, email=f"{who.name}@example.com", device=f"dev_{who.name}")
    company.ask(OWNER, SECOND)
    company.do("account.login", OWNER, MINUTE, by=THIEF, device="dev_thief")
    company.ask(FARMER, MINUTE)
    company.do("account.login", Account("acct_3", "free", T0, OWNER.owner), 3 * HOUR)
    labels = company.said("account.label")
    assert [(each["account"], each["bad"], each["said_by"]) for each in labels] == [
        ("acct_1", False, "reviewer"), ("acct_2", True, "reviewer"),
    ]  # fmt: skip
    assert [(each["email"], each["device"]) for each in labels] == [
        (f"{name}@example.com", f"dev_{name}") for name in ("acct_1", "acct_2")
    ]
    ids = {each["id"]: each["type"] for each in company.sent}
    assert [ids[each["of"]] for each in labels] == ["account.login", "api.request"]
    assert all("tier" not in each and "org" not in each for each in labels)


def test_a_stolen_cards_charge_is_taken_back_days_later(world: World) -> None:
    company = Company(world, {})
    company.do("payment.charged", FARMER, 0, disputed="fraudulent", card="card_1", amount=20.0, outcome="accepted")
    company.ask(OWNER, 9 * DAY)
    assert company.said("payment.disputed") == []
    company.ask(OWNER, 11 * DAY)
    [dispute] = company.said("payment.disputed")
    assert dispute.pop("time") == "2027-01-25T08:00:00.000Z"
    assert dispute == {
        "account": "acct_2", "card": "card_1", "amount": 20.0, "of": "1", "bad": True, "dispute_reason": "fraudulent",
    }  # fmt: skip


def test_what_is_forbidden_is_flagged_and_may_be_stopped_for_it(world: World) -> None:
    company = Company(world, {3: Action.SUSPEND})
    assert company.ask(OWNER, 0) == Seen.SERVED
    assert company.ask(FARMER, 0, forbidden=0.8) == Seen.SERVED
    [flag] = company.said("policy.flagged")
    assert (flag["account"], flag["severity"], flag["request"]) == ("acct_2", 0.8, "2")
    assert company.ask(FARMER, MINUTE) == Seen.CLOSED


def test_a_classifier_is_wrong_now_and_then(world: World) -> None:
    spec = msgspec.structs.replace(world.service, classifier_finds=0.0, classifier_wrongs=0.5)
    company = Company(msgspec.structs.replace(world, service=spec), {})
    for minute in range(200):
        company.ask(OWNER, minute * MINUTE)
        company.ask(FARMER, minute * MINUTE, forbidden=0.9)
    flagged = company.said("policy.flagged")
    assert 60 < len(flagged) < 140
    assert {each["account"] for each in flagged} == {"acct_1"}


def test_an_owner_who_changes_the_password_locks_an_intruder_out(world: World) -> None:
    company = Company(world, {})
    assert company.ask(OWNER, 0, by=THIEF) == Seen.SERVED
    company.do("password.reset", OWNER, MINUTE, step="asked")
    assert company.ask(OWNER, 2 * MINUTE, by=THIEF) == Seen.SERVED
    company.do("password.reset", OWNER, 3 * MINUTE, step="done")
    assert company.ask(OWNER, 4 * MINUTE, by=THIEF) == Seen.CLOSED
    assert company.ask(OWNER, 5 * MINUTE) == Seen.SERVED


def test_an_owner_who_makes_a_key_useless_locks_out_whoever_has_that_one(world: World) -> None:
    company = Company(world, {})
    company.do("key.revoked", OWNER, MINUTE, by=THIEF, key="acct_1.1")
    assert company.do("api.request", OWNER, 2 * MINUTE, by=THIEF, dollars=1.0, key="acct_1.1") == Seen.SERVED
    company.do("key.revoked", OWNER, 3 * MINUTE, key="acct_1.1")
    assert company.do("api.request", OWNER, 4 * MINUTE, by=THIEF, dollars=1.0, key="acct_1.1") == Seen.CLOSED
    assert company.do("api.request", OWNER, 5 * MINUTE, by=THIEF, dollars=1.0, key="acct_1.2") == Seen.SERVED
    assert company.ask(OWNER, 6 * MINUTE, by=THIEF) == Seen.SERVED


def test_a_new_password_keeps_out_who_was_inside_and_no_one_who_comes_later(world: World) -> None:
    company = Company(world, {})
    later = Actor("l", "takeover", honest=False, hands="robot")
    company.do("password.reset", OWNER, 0, step="done")
    assert company.ask(OWNER, MINUTE, by=THIEF) == Seen.SERVED
    company.do("account.login", OWNER, 2 * MINUTE, by=later, success=False)
    company.do("password.reset", OWNER, 3 * MINUTE, step="done")
    assert company.ask(OWNER, 4 * MINUTE, by=THIEF) == Seen.CLOSED
    assert company.ask(OWNER, 5 * MINUTE, by=later) == Seen.SERVED


def test_people_who_look_make_mistakes(world: World) -> None:
    spec = msgspec.structs.replace(world.service, review_misses=1.0, review_wrongs=1.0)
    company = Company(msgspec.structs.replace(world, service=spec), {1: Action.SUSPEND, 2: Action.SUSPEND})
    for each in (OWNER, FARMER):
        company.ask(each, 0)
    assert [company.ask(each, 3 * HOUR) for each in (OWNER, FARMER)] == [Seen.CLOSED, Seen.SERVED]


def test_the_innocent_who_do_not_appeal_stay_out(world: World) -> None:
    spec = msgspec.structs.replace(world.service, appeals=0.0)
    company = Company(msgspec.structs.replace(world, service=spec), {1: Action.BAN})
    company.ask(OWNER, 0)
    assert company.ask(OWNER, 900 * HOUR) == Seen.CLOSED
    assert company.reviews == []


def test_the_same_seed_gives_the_same(world: World) -> None:
    def played() -> list[Done | Reviewed]:
        company = Company(world, {each: Action(each % 7) for each in range(300)}, seed=7)
        for minute in range(300):
            company.ask(replace(FARMER, name=f"acct_{minute % 40}"), minute * MINUTE)
        return company.told

    assert played() == played()
