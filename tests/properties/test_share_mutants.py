"""Faults planted in the share, each of which the random runs must find."""

import pytest

from fairgate.share.answers import Grant
from fairgate.share.ceiling import Ceiling
from fairgate.share.node import Node
from fairgate.share.share import Share
from fairgate.share.standing import Cluster, Standing
from fairgate.share.stock import Stock
from fairgate.share.tree import AccountNode, Tree
from fairgate.share.usage import Usage
from tests.properties.planted import Mutants, Real, instead
from tests.properties.share_cases import Run

_RUNS = 300
mutant = Mutants()


@mutant
def an_abort_costs_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Grant, "abort", lambda self: self._keeper.settle_of(self, Usage()))


@mutant
def unlinking_is_an_amnesty(patch: pytest.MonkeyPatch) -> None:
    def move(real: Real) -> Real:
        return lambda self, node, cluster, _, now: real(self, node, cluster, 0.0, now)

    instead(patch, Tree, "_move", move)


@mutant
def who_wakes_up_is_not_lifted(patch: pytest.MonkeyPatch) -> None:
    def wake(self: Node, _: float) -> None:
        node = self
        while (parent := node.parent) is not None:
            if not node.active:
                node.active = True
                node.stand_in_line()
            node = parent

    patch.setattr(Node, "wake", wake)


@mutant
def a_cluster_weighs_as_much_as_all_its_members(patch: pytest.MonkeyPatch) -> None:
    weight = vars(Cluster)["weight"].fget
    patch.setattr(Cluster, "weight", property(lambda self: weight(self) * max(1, len(self.members))))


@mutant
def a_cluster_weighs_as_little_as_its_least_member(patch: pytest.MonkeyPatch) -> None:
    least = property(lambda self: min(each.free for each in self.members.values()) if self.members else 0.5)
    patch.setattr(Cluster, "weight", least)


@mutant
def a_ceiling_holds_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "kept_by_ceiling", lambda *_: False)
    instead(patch, Ceiling, "refill", lambda real: lambda self, now, capacity: real(self, now, capacity) or True)
    instead(patch, Run, "eligible", lambda real: lambda self: real(self) | _kept_and_served(self))


def _kept_and_served(run: Run) -> set[str]:
    for node in (*run.stock.tree.accounts.values(), *run.stock.tree.clusters.values()):
        if node.ceiling is not None:
            assert node.ceiling.level > -5_000.0, "it was served far beyond its ceiling"
    return set()


@mutant
def a_ceiling_holds_for_good(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "free", lambda *_: None)


@mutant
def a_correction_leaves_the_cluster_out(patch: pytest.MonkeyPatch) -> None:
    def correct(real: Real) -> Real:
        return lambda self, more: None if self.parent is not None and not self.parent.parent else real(self, more)

    instead(patch, Node, "correct", correct)


@mutant
def what_comes_back_is_kept(patch: pytest.MonkeyPatch) -> None:
    def correct(real: Real) -> Real:
        return lambda self, grant, cost: real(self, grant, max(cost, grant.counted))

    instead(patch, Stock, "correct", correct)


@mutant
def what_is_beyond_the_estimate_is_free(patch: pytest.MonkeyPatch) -> None:
    def correct(real: Real) -> Real:
        return lambda self, grant, cost: real(self, grant, min(cost, grant.estimate))

    instead(patch, Stock, "correct", correct)


@mutant
def a_silent_client_keeps_its_grant(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stock, "expire", lambda _: iter(()))


@mutant
def the_time_stands_still(patch: pytest.MonkeyPatch) -> None:
    def serve(real: Real) -> Real:
        def serve_without(self: Node, cost: float) -> None:
            times = [(each.parent, each.parent.time) for each in self.path if each.parent is not None]
            real(self, cost)
            for parent, time in times:
                parent.time = time

        return serve_without

    instead(patch, Node, "serve", serve)


@mutant
def a_weight_is_what_it_was_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Node, "reweigh", lambda *_: None)


@mutant
def an_older_version_wins(patch: pytest.MonkeyPatch) -> None:
    def forgets(real: Real) -> Real:
        def set_principal(self: Share, account: str, standing: Standing, version: int) -> bool:
            self._versions.pop(account, None)
            return bool(real(self, account, standing, version))

        return set_principal

    instead(patch, Share, "set_principal", forgets)


@mutant
def one_class_is_charged_twice(patch: pytest.MonkeyPatch) -> None:
    def serve(real: Real) -> Real:
        def twice(self: Node, cost: float) -> None:
            real(self, cost)
            if self.path[-1].name == "established":
                self.path[-1].counter += cost / self.path[-1].weight

        return twice

    instead(patch, Node, "serve", serve)


@mutant
def an_arrival_stays_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "admit", lambda *_: None)


@mutant
def who_has_used_nothing_is_no_arrival(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "_proven", lambda *_: True)


@mutant
def leaving_the_arrivals_is_an_amnesty(patch: pytest.MonkeyPatch) -> None:
    def admit(real: Real) -> Real:
        def forgives(self: Tree, node: AccountNode) -> None:
            before = node.parent.parent if node.parent is not None else None
            real(self, node)
            group = node.parent
            if group is not None and group.parent is not None and group.parent is not before:
                group.counter = group.parent.time

        return forgives

    instead(patch, Tree, "admit", admit)


@pytest.mark.parametrize("name", sorted(mutant))
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant[name](monkeypatch)
    with pytest.raises((AssertionError, KeyError)):  # noqa: PT012 - whichever run finds it
        for seed in range(_RUNS):
            Run(seed).play()
