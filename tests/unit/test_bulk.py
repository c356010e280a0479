"""Bulk actions as such: their phrase and states, their preview, and what a pack may say of money and beginnings."""

import pytest

from fairgate.domain.action import Action
from fairgate.domain.bulk import Bulk, BulkState, Evidence, Order, Preview
from fairgate.domain.bulk_preview import Measured, Terms, previewed
from fairgate.language.problems import PackError
from tests.support import PACK, checked

TERMS = Terms(money=True, begins=True, loses="use", days=30)


def account(name: str, begun: int | None = None, paid: float | None = None, groups: int = 0) -> Measured:
    return Measured(name, begun, None, paid, groups, float(groups) if groups else None, "", "")


def bulk(accounts: int, state: BulkState = BulkState.DRAFT) -> Bulk:
    preview = Preview(accounts, {}, "", None, None, 0, Evidence(30, 0, 0, ()), 0, ())
    order = Order(Action.SUSPEND, "", (), (), "")
    return Bulk(7, "1", 10, "ann", 70, order, "", preview, second=False, state=state)


def test_the_phrase_says_what_and_how_many() -> None:
    assert [bulk(many).phrase for many in (1, 2, 1_204)] == [
        "suspend 1 account",
        "suspend 2 accounts",
        "suspend 1,204 accounts",
    ]


def test_only_what_is_pending_expires() -> None:
    found = {state: bulk(1, state).state_at(70) for state in BulkState}
    assert {each for each, then in found.items() if then != each} == {BulkState.DRAFT, BulkState.WAITING}
    assert found[BulkState.DRAFT] == BulkState.EXPIRED
    assert bulk(1).state_at(69) == BulkState.DRAFT


def test_a_preview_counts_money_ages_and_evidence() -> None:
    accounts = [account("a", 0, 5.0, 2), account("b", 60, None, 1), account("c", 100, 20.5), account("d", 200, 0.0)]
    found = previewed([*accounts, account("e")], {"unknown": 2, "null": 0}, TERMS, 100, 5)
    assert (found.accounts, found.skipped, found.ages_unknown) == (5, {"unknown": 2}, 1)
    assert found.money is not None
    assert (found.money.paying, found.money.days_90, found.money.largest) == (2, 25.5, 20.5)
    assert found.ages is not None
    assert (found.ages.newest, found.ages.median, found.ages.oldest) == (0, 0, 100)  # begun later than now: new
    assert (found.evidence.none, found.evidence.one_group) == (3, 1)
    assert found.evidence.weakest == ("c", "d", "e", "b", "a")


def test_the_same_seed_draws_the_same_sample() -> None:
    accounts = [account(f"{number}") for number in range(100)]
    one, again, other = (previewed(accounts, {}, TERMS, 0, seed).sample for seed in (1, 1, 2))
    assert one == again != other
    assert len({each.account for each in one}) == 10


def test_what_the_pack_does_not_say_is_unknown() -> None:
    found = previewed([account("a", 5, 5.0)], {}, TERMS._replace(money=False, begins=False), 9, 0)
    assert (found.money, found.ages) == (None, None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('begins = "account.signdown"', "no event type"),
        ('paid = "nothing"', "no event type"),
        ('amount = "seats"', "without `paid`"),
        ('paid = "account.signup"\namount = "ip"', "that is a number"),
        ('paid = "account.signup"\namount = "seats"\npaid_if = { email = "x" }', "not personal"),
        ('paid = "account.signup"\namount = "seats"\npaid_if = { seats = "x" }', "not personal"),
        ("[bulk]", "TOML"),
    ],
)
def test_a_pack_that_says_it_wrongly_is_refused(text: str, what: str) -> None:
    with pytest.raises(PackError) as told:
        checked(f"{PACK}\n[bulk]\n{text}\n")
    assert what in str(told.value)


def test_a_pack_says_how_money_and_beginnings_are_known() -> None:
    text = '[bulk]\npaid = "account.signup"\namount = "seats"\npaid_if = { plan = "pro" }\nbegins = "account.signup"\n'
    found = checked(f"{PACK}\n{text}").pack.bulk
    assert found is not None
    assert (found.paid, found.amount, dict(found.paid_if), found.begins) == (
        "account.signup",
        "seats",
        {"plan": "pro"},
        "account.signup",
    )
    assert checked(PACK).pack.bulk is None
