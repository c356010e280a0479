"""Some opponents of a kind, each alone in a world: what most of them do, so that no single draw decides a test."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, campaign

#: Seeds of those who are looked at together. None is picked for what it gives.
SEEDS = (1, 2, 3, 4, 5)
_NEVER = 1 << 62


def several(
    kind: str, world: Loaded, makes: Callable[[], Decides], days: int = 60, seeds: Sequence[int] = SEEDS
) -> list[Campaign]:
    """Opponents of a kind, one for each seed. `makes` gives each a company of its own, which knows of no other."""
    return [campaign(kind, world, makes(), days, seed) for seed in seeds]


def share(found: Iterable[Campaign], words: str) -> float:
    """The share of ways with these words among all that were tried in the later half of each one's tries."""
    late = [each for one in found for each in one.ways[len(one.ways) // 2 :]]
    return sum(words in each for each in late) / len(late)


def remaining(found: Iterable[Campaign]) -> list[Campaign]:
    """Those who are still there."""
    return [each for each in found if each.left is None]


def spent(found: Iterable[Campaign]) -> float:
    """What they paid for everything, in dollars."""
    return -sum(each.dollars for one in found for each in one.book if each.dollars < 0)


def by_account(found: Campaign) -> dict[str, list[Done]]:
    """What an opponent did with each account, in the order in which they were first used."""
    did: dict[str, list[Done]] = {}
    for each in found.abuse:
        did.setdefault(each.act.account.name, []).append(each)
    return did


def tries(found: Campaign) -> list[tuple[int, str, list[Done]]]:
    """When each way was tried, its words, and all that was done with the accounts first used until the next try."""
    begun = [(each.time - each.time % 1_000, each.note) for each in found.book if each.what == "tries"]
    every = list(by_account(found).values())
    return [
        (start, words, [each for did in every if start <= did[0].act.time < end for each in did])
        for (start, words), (end, _) in pairwise([*begun, (_NEVER, "")])
    ]
