"""What operators are told: the state of all pools, and why an account gets what it gets."""

import msgspec

from fairgate.share import Pool, Standing
from tests.unit.share.sharing import Sharing


def test_the_state_tells_who_has_what_and_who_waits() -> None:
    here = Sharing((Pool("one", 1_000.0, models=("one",)), Pool("two", 10.0, models=("two",))))
    for number in range(3):
        here.known(f"f{number}", Standing("farm", trust=0.2, newcomer=True, ceil=0.1))
    here.known("pays", Standing(trust=0.9, paid=2.0))
    here.ask("f0", 40, model="one")
    here.ask("pays", 5_000, model="one")
    here.ask("pays", 300, model="one")
    here.ask("new", 200, model="one")
    one, two = here.share.state().pools
    assert (one.name, one.capacity, one.used, one.in_flight, one.waiting, one.waiting_cost) == (
        "one", 1_000.0, 5_040.0, 2, 2, 500.0,
    )  # fmt: skip
    assert one.level == 1_000 - 5_040
    classes = {each.name: each for each in one.classes}
    assert (classes["established"].accounts, classes["established"].used, classes["established"].waiting) == (
        1,
        5_000.0,
        1,
    )
    assert (classes["arrivals"].accounts, classes["arrivals"].used, classes["arrivals"].waiting) == (2, 40.0, 1)
    assert {each.name: (each.used, each.ceil) for each in one.clusters} == {
        "farm": (40.0, 0.1), "pays": (5_000.0, None), "new": (0.0, None),
    }  # fmt: skip
    assert {each.name: (each.accounts, each.used) for each in one.tiers} == {"free": (2, 40.0), "paid": (1, 5_000.0)}
    assert (two.name, two.clusters, two.waiting) == ("two", [], 0)
    assert msgspec.json.decode(msgspec.json.encode(here.share.state()))["pools"][0]["name"] == "one"


def test_the_clusters_that_are_told_of_are_those_that_wait_or_use_most() -> None:
    here = Sharing((Pool("p", 1e6),))
    for number in range(50):
        here.granted(f"a{number}", number + 1)
    names = [each.name for each in here.share.state().pools[0].clusters]
    assert names == [f"a{number}" for number in range(49, 29, -1)]


def words(here: Sharing, account: str) -> str:
    return "\n".join(here.share.explain(account).words)


def test_an_unknown_account_is_a_newcomer() -> None:
    told = Sharing().share.explain("nobody")
    assert (told.known, told.members) == (False, 1)
    assert told.words == [
        "Nothing is known of this account: it is a newcomer.",
        "p: it has asked for nothing.",
    ]


def test_a_farm_is_told_as_one() -> None:
    here = Sharing()
    for number in range(1_000):
        here.known(f"f{number}", Standing("farm", trust=0.2, newcomer=True, ceil=0.005))
    here.granted("f1", 4)
    told = here.share.explain("f1")
    assert (told.cluster, told.members, told.standing.trust) == ("farm", 1_000, 0.2)
    assert told.words == [
        "It is thought to be honest with a likelihood of 20%.",
        (
            "It shares one share with 999 more accounts of the actor farm: others would make it no larger; "
            "among them it goes by how likely each is honest."
        ),
        (
            "Where all classes want all of the capacity its class has 2% (arrivals) until it has used 5 mean requests' "
            "worth of a pool, and 8% (probation) from then on."
        ),
        "It weighs 0.01 there.",
        "A ceiling holds it to 0.50% of the capacity, also when capacity is idle.",
        "p: it has used 1.0 mean requests' worth, and 1 are in flight.",
        "p: others go first until they have had 1.0 mean requests' worth for their weight.",
    ]


def test_who_waits_and_owes_is_told() -> None:
    here = Sharing()
    here.known("a")
    grant = here.granted("a", 2_000)
    for _ in range(3):
        here.queued("a", 2_000)
    here.now += 0.5
    here.share.advance()
    assert "p: 3 of its requests wait, the first for 0.5 s." in words(here, "a")
    assert "p: others go first until they have had 1.0 mean requests' worth for their weight." in words(here, "a")
    grant.settle(0, 0)


def test_a_weak_link_is_told() -> None:
    here = Sharing()
    here.known("a", Standing("c", p_link=0.7))
    assert (
        "It may belong to the actor c (70%), which is not enough to share a share: it keeps 30% of its own."
        in words(here, "a")
    )
