"""Faults planted in the leases, each of which the random runs must find."""

from dataclasses import replace

import msgspec
import pytest

from fairgate.share.lease import Lease, Sent, Told, Want
from fairgate.share.lease_books import Gateway, Leased, Slot
from fairgate.share.lease_desk import LeaseDesk
from fairgate.share.lease_purse import Held, Purse
from fairgate.share.lease_talk import Talk
from fairgate.share.lease_till import Till
from tests.properties.lease_cases import Run
from tests.properties.planted import Mutants, Real, instead

_RUNS = 150
mutant = Mutants()


@mutant
def a_lease_lives_as_long_at_its_gateway(patch: pytest.MonkeyPatch) -> None:
    def leased(real: Real) -> Real:
        def for_tau(self: Talk, lease: Lease) -> None:
            terms, self._terms = self._terms, replace(self._terms, delta=0.0)
            real(self, lease)
            self._terms = terms

        return for_tau

    instead(patch, Talk, "_leased", leased)


@mutant
def a_lease_is_counted_from_when_it_was_heard_of(patch: pytest.MonkeyPatch) -> None:
    def leased(real: Real) -> Real:
        def from_now(self: Talk, lease: Lease) -> None:
            sent_at, self._sent_at = self._sent_at, self._clock()
            real(self, lease)
            self._sent_at = sent_at

        return from_now

    instead(patch, Talk, "_leased", leased)


@mutant
def a_quantum_holds_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Slot, "fits", lambda *_: True)


@mutant
def a_lost_answer_is_granted_twice(patch: pytest.MonkeyPatch) -> None:
    def want(real: Real) -> Real:
        def again(self: LeaseDesk, gateway: Gateway, want: Want) -> None:
            gateway.untold.pop(want.id, None)
            real(self, gateway, want)

        return again

    instead(patch, LeaseDesk, "_want", want)


@mutant
def the_safe_rate_is_for_each_account(patch: pytest.MonkeyPatch) -> None:
    def refill(real: Real) -> Real:
        def for_each(self: Till, now: float) -> None:
            rate, self.rate = self.rate, self.rate * len(self.purses)
            real(self, now)
            self.rate = rate

        return for_each

    instead(patch, Till, "refill", refill)


@mutant
def the_safe_rate_is_for_each_gateway(patch: pytest.MonkeyPatch) -> None:
    def refill(real: Real) -> Real:
        def whole(self: Till, now: float) -> None:
            rate, self.rate = self.rate, self.pool.capacity
            real(self, now)
            self.rate = rate

        return whole

    instead(patch, Till, "refill", refill)


@mutant
def a_return_makes_room_twice(patch: pytest.MonkeyPatch) -> None:
    def end(real: Real) -> Real:
        def twice(self: LeaseDesk, leased: Leased, spent: float) -> None:
            leased.wanted.slot.open -= leased.grant.estimate
            real(self, leased, spent)

        return twice

    instead(patch, LeaseDesk, "_end", end)


@mutant
def who_is_cut_off_begins_with_a_full_bucket(patch: pytest.MonkeyPatch) -> None:
    def cut_off(real: Real) -> Real:
        def full(self: Till, now: float) -> None:
            real(self, now)
            self.level = self.quantum

        return full

    instead(patch, Till, "cut_off", cut_off)


@mutant
def a_request_passes_at_the_safe_rate_that_does_not_fit(patch: pytest.MonkeyPatch) -> None:
    def admit(self: Till, estimate: float, now: float) -> bool:
        if not self.cut or self.root.waiting:
            return False
        self.refill(now)
        if self.level <= 0:
            return False
        self.level -= estimate
        return True

    patch.setattr(Till, "admit_unleased", admit)


@mutant
def a_request_at_the_safe_rate_costs_nothing(patch: pytest.MonkeyPatch) -> None:
    def admit(real: Real) -> Real:
        def free(self: Till, estimate: float, now: float) -> bool:
            admitted = bool(real(self, estimate, now))
            self.level += estimate * admitted
            return admitted

        return free

    instead(patch, Till, "admit_unleased", admit)


@mutant
def a_return_is_not_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LeaseDesk, "_returned", lambda *_: True)


@mutant
def what_was_saved_up_has_no_limit(patch: pytest.MonkeyPatch) -> None:
    def refill(real: Real) -> Real:
        def unlimited(self: Till, now: float) -> None:
            quantum, self.quantum = self.quantum, 1e9
            real(self, now)
            self.quantum = quantum

        return unlimited

    instead(patch, Till, "refill", refill)


@mutant
def what_is_left_of_leases_is_not_looked_at_while_cut_off(patch: pytest.MonkeyPatch) -> None:
    def refill(real: Real) -> Real:
        def without(self: Till, now: float) -> None:
            left, self.left = self.left, 0.0
            real(self, now)
            self.left += left

        return without

    instead(patch, Till, "refill", refill)


@mutant
def an_answer_is_taken_that_was_given_up(patch: pytest.MonkeyPatch) -> None:
    def hear(real: Real) -> Real:
        def any_answer(self: Talk, told: Told) -> None:
            if self._awaited is not None:
                self._awaited = msgspec.structs.replace(self._awaited, number=told.number)
            real(self, told)

        return any_answer

    instead(patch, Talk, "hear", hear)


@mutant
def what_the_desk_may_have_granted_is_used_as_well(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Talk, "begin_anew", lambda _: None)


@mutant
def a_crash_gives_leases_back(patch: pytest.MonkeyPatch) -> None:
    def begin(real: Real) -> Real:
        def unspent(self: LeaseDesk, gateway: Gateway) -> None:
            for leased in list(gateway.leases.values()):
                self._end(leased, 0.0)
            real(self, gateway)

        return unspent

    instead(patch, LeaseDesk, "_void", begin)


@mutant
def a_lease_that_ends_at_the_desk_is_given_back(patch: pytest.MonkeyPatch) -> None:
    def move(real: Real) -> Real:
        def unspent(self: LeaseDesk) -> None:
            for leased in [each for each in self.leases.values() if each.ends <= self._clock()]:
                self._end(leased, 0.0)
            real(self)

        return unspent

    instead(patch, LeaseDesk, "_move", move)


@mutant
def a_lease_never_ends_at_the_desk(patch: pytest.MonkeyPatch) -> None:
    def came(real: Real) -> Real:
        def for_ever(self: LeaseDesk, *args: object) -> None:
            real(self, *args)
            for leased in self.leases.values():
                leased.ends = float("inf")

        return for_ever

    instead(patch, LeaseDesk, "_came", came)


@mutant
def a_request_is_admitted_that_does_not_fit(patch: pytest.MonkeyPatch) -> None:
    def admit(self: Till, purse: Purse, estimate: float, now: float) -> bool:
        for lease in purse.leases:
            if lease.left > 0 and lease.ends > now:
                lease.left -= estimate
                self.left -= estimate
                return True
        return False

    patch.setattr(Till, "admit", admit)


@mutant
def a_message_that_comes_late_is_taken(patch: pytest.MonkeyPatch) -> None:
    def exchange(real: Real) -> Real:
        def taken(self: LeaseDesk, sent: Sent) -> Told:
            known = self.gateways.get(sent.gateway)
            if known is not None:
                known.number = 0
            told: Told = real(self, sent)
            return told

        return taken

    instead(patch, LeaseDesk, "exchange", exchange)


@mutant
def a_former_life_is_taken_for_a_new_one(patch: pytest.MonkeyPatch) -> None:
    def exchange(real: Real) -> Real:
        def taken(self: LeaseDesk, sent: Sent) -> Told:
            known = self.gateways.get(sent.gateway)
            if known is not None and known.life != sent.life:
                known.life = -1
            told: Told = real(self, sent)
            return told

        return taken

    instead(patch, LeaseDesk, "exchange", exchange)


@mutant
def what_was_heard_is_told_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gateway, "heard", lambda *_: None)


@mutant
def what_was_told_counts_as_heard(patch: pytest.MonkeyPatch) -> None:
    instead(patch, Gateway, "heard", lambda real: lambda self, _: real(self, 1 << 60))


@mutant
def what_a_purse_owes_is_told_twice(patch: pytest.MonkeyPatch) -> None:
    def give_back(real: Real) -> Real:
        def keeps(self: Till, purse: Purse, lease: Held) -> None:
            more = purse.more
            real(self, purse, lease)
            purse.more = more

        return keeps

    instead(patch, Till, "give_back", give_back)


@pytest.mark.parametrize("name", sorted(mutant))
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant[name](monkeypatch)
    with pytest.raises((AssertionError, KeyError)):  # noqa: PT012 - whichever run finds it
        for seed in range(_RUNS):
            run = Run(seed)
            run.ill()
            run.well()
            run.end()
