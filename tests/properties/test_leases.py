"""What leases guarantee, over random runs: see `lease_cases`."""

import random

import pytest

from fairgate.share import Pool, Share, Standing
from fairgate.share.lease import Sent, Terms
from fairgate.share.lease_desk import LeaseDesk
from fairgate.share.lease_holder import LeaseHolder
from tests.properties.lease_cases import Run, Setting, Weather

_RUNS = 400
_GRANTS = 30_000


def test_no_window_admits_more_than_the_bound() -> None:
    grants, nearest = 0, 0.0
    for seed in range(_RUNS):
        run = Run(seed).ill()
        if seed % 2:
            run.well()
        run.end()
        grants += run.grants
        nearest = max(nearest, run.most)
    assert grants >= _GRANTS
    assert nearest > 0.75, "what nearly nobody reaches proves little"


@pytest.mark.soak
def test_no_window_admits_more_than_the_bound_for_long() -> None:
    for seed in range(_RUNS, 10 * _RUNS):
        Run(seed).ill().well().ill().end()


def test_the_bound_is_reached() -> None:
    """All gateways hold their quanta, and the burst is there: then everybody wants everything at once."""
    run = Run(1, Setting(gateways=4, accounts=4, burst=400.0, quantum=300.0, lifetime=9.0, hoard=1.0))
    run.setting.weather.slow = 0.002
    for number, gateway in enumerate(run.gateways):
        run.play(1.0)
        gateway.ask(f"a{number}", 19, 0, 5.0)
    run.play(1.0)
    for number, gateway in enumerate(run.gateways):
        for _ in range(150):
            gateway.ask(f"a{number}", 9, 0, 5.0)
    run.play(1.0)
    assert 0.9 < run.most <= 1


def test_all_gateways_that_are_cut_off_have_sigma_of_the_capacity() -> None:
    run = Run(2, Setting(gateways=3, sigma=0.5, quantum=100.0))
    for gateway in run.gateways:
        gateway.reached = False
    for _ in range(400):
        run.play(0.05)
        for gateway in run.gateways:
            gateway.ask("a1", 30, 0, 5.0)
    safe = 0.5 * 1_000 * 0.98 * 20 - 3 * 100
    assert safe - 3 * 60 <= run.admitted_in_all <= safe


def test_an_account_at_eight_gateways_gets_what_it_gets_at_one() -> None:
    setting = Setting(gateways=9, accounts=2, quantum=200.0, lifetime=2.0, capacity=2_000.0)
    run = Run(3, setting)

    def ask() -> None:
        for gateway in run.gateways[:8]:
            if len(gateway.waiting) < 20:
                gateway.ask("a0", 20, 10, 30.0)
        for _ in range(4):
            if len(run.gateways[8].waiting) < 20:
                run.gateways[8].ask("a1", 20, 10, 30.0)
        run.later(0.02, ask)

    ask()
    run.play(5.0)
    before = dict(run.by_account)
    run.play(20.0)
    spread, alone = (run.by_account[name] - before[name] for name in ("a0", "a1"))
    assert spread + alone > 0.95 * 2_000 * 20, "the capacity is used"
    assert 0.95 < spread / alone < 1.05


def test_accounts_at_a_gateway_that_is_cut_off_share_the_safe_rate() -> None:
    run = Run(4, Setting(gateways=2, sigma=1.0, quantum=100.0))
    run.gateways[0].reached = False
    for turn in range(1_000):
        run.play(0.02)
        for number in range(3):
            for _ in range(1 + 4 * (number == 0)):
                if turn < 900:
                    run.gateways[0].ask(f"a{number}", 20, 0, 2.0)
    most, least = max(run.by_account.values()), min(run.by_account.values())
    assert least > 0.9 * most


def test_nothing_leaks_in_a_hundred_thousand_exchanges() -> None:
    rng = random.Random(5)
    now = 0.0
    pools = [Pool("p", 10_000.0, 1_000.0, grant_seconds=60.0)]
    terms = Terms(4, {"p": 500.0}, lifetime=2.0)
    share = Share(pools, lambda: now, rng)
    desk = LeaseDesk(share, terms, lambda: now, rng)

    def born(name: int) -> LeaseHolder:
        return LeaseHolder(f"g{name}", pools, terms, lambda: now, rng, poll=0.002, retry=0.002, born=round(now * 1e3))

    holders = [born(name) for name in range(4)]
    exchanges = 0
    while exchanges < 100_000:
        now += 0.001
        name = rng.randrange(4)
        if rng.random() < 0.001:
            holders[name] = born(name)
        holder = holders[name]
        if rng.random() < 0.3:
            answer = holder.acquire(f"a{rng.randrange(50)}", "m", rng.randrange(1, 60), 0, rng.choice((0.0, 0.2)))
            del answer
        for grant in list(holder.tills["p"].grants.values())[:2]:
            grant.settle(grant.input, 0)
        holder.advance()
        sent: Sent | None = holder.send()
        if sent is None:
            continue
        exchanges += 1
        told = desk.exchange(sent) if rng.random() < 0.9 else None
        if told is None or rng.random() < 0.1:
            holder.lost()
        else:
            holder.hear(told)
    now += 30.0
    desk.advance()
    stock = share.stocks["p"]
    assert not desk.leases
    assert not stock.grants
    assert not stock.queued
    assert all(slot.open == 0 and not slot.aside for each in desk.gateways.values() for slot in each.slots.values())
    answer = share.reserve("a1", "m", 1.0, 0.0)
    assert stock.level == pytest.approx(999.0)
    assert share.open(answer.id) is answer


def test_an_established_account_and_a_newcomer_share_across_gateways_by_class() -> None:
    run = Run(6, Setting(gateways=2, accounts=1, quantum=200.0, weather=Weather()))
    run.share.set_principal("new", Standing(newcomer=True), 1)

    def ask() -> None:
        for gateway, account in zip(run.gateways, ("a0", "new"), strict=True):
            if len(gateway.waiting) < 20:
                gateway.ask(account, 40, 0, 30.0)
        run.later(0.02, ask)

    ask()
    run.play(30.0)  # by then the newcomer has left the arrivals
    before = dict(run.by_account)
    run.play(50.0)
    trusted, probation = (run.by_account[name] - before[name] for name in ("a0", "new"))
    assert 8.5 < trusted / probation < 14  # .9 to .08
