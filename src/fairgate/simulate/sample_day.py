"""A day in the life of an AI API, for demonstrations and tests: honest customers of several kinds, and two attacks.

It is small and nobody in it learns: attackers go on whatever is decided. Every event says in its `source` that it is
simulated, and who is honest is told apart from the events, never in them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType

from fairgate.simulate import day_attacks, day_groups, day_honest
from fairgate.simulate.day_parts import Diary, SampleEvent

#: Accounts of a default day; it has about 20,000 events.
ACCOUNTS = 400


class CustomerKind(StrEnum):
    """What a customer of the day is."""

    HOBBYIST = "hobbyist"
    POWER_USER = "power user"
    CAMPUS = "campus"
    HACKATHON = "hackathon"
    START_UP = "start-up"
    ENTERPRISE = "enterprise"
    NIGHT_JOB = "night job"
    TRAVELLER = "traveller"
    FAMILY = "family"
    AGENCY = "agency"
    CREDIT_FARM = "credit farm"
    STOLEN_KEY = "stolen key"

    @property
    def honest(self) -> bool:
        """Whether every event of such an account is its owner's."""
        return self not in (CustomerKind.CREDIT_FARM, CustomerKind.STOLEN_KEY)


@dataclass(frozen=True, slots=True)
class SampleDay:
    """A day's events in order of time, and the truth about them.

    `kinds` has every account. `abusive` has the ids of the events that attackers caused; a stolen key's owner goes on
    using it, so that only some events of that account are in it.
    """

    events: tuple[SampleEvent, ...]
    kinds: Mapping[str, CustomerKind]
    abusive: frozenset[str]


_Lives = Callable[[Diary, Random, int], list[str]]
#: Each kind with its share of the accounts, and the function that lets them live the day.
_HONEST: tuple[tuple[CustomerKind, float, _Lives], ...] = (
    (CustomerKind.HOBBYIST, 0.56, day_honest.hobbyists),
    (CustomerKind.POWER_USER, 0.01, day_honest.power_users),
    (CustomerKind.CAMPUS, 0.15, day_groups.campus),
    (CustomerKind.HACKATHON, 0.03, day_groups.hackathon),
    (CustomerKind.START_UP, 0.08, day_honest.start_ups),
    (CustomerKind.ENTERPRISE, 0.01, day_honest.enterprises),
    (CustomerKind.NIGHT_JOB, 0.03, day_honest.night_jobs),
    (CustomerKind.TRAVELLER, 0.04, day_honest.travellers),
    (CustomerKind.FAMILY, 0.05, day_groups.families),
    (CustomerKind.AGENCY, 0.04, day_groups.agencies),
)
_ATTACKS: tuple[tuple[CustomerKind, float, _Lives], ...] = (
    (CustomerKind.CREDIT_FARM, 0.15, day_attacks.credit_farm),
    (CustomerKind.STOLEN_KEY, 0.0025, day_attacks.stolen_key),
)


def sample_day(seed: int, start: int, accounts: int = ACCOUNTS) -> SampleDay:
    """The day that begins at `start` (microseconds since 1970), with about so many honest accounts.

    The attacks come on top: a farm of a seventh as many accounts, `day_attacks.FARM_BEGINS` hours into the day, and one
    stolen key for each 400, from `day_attacks.KEY_IS_STOLEN` on; each has one at least, as has every honest kind. The
    same arguments give the same bytes, on any machine.
    """
    diary = Diary(start, Random(f"{seed} diary"))
    kinds: dict[str, CustomerKind] = {}
    for kind, share, live in (*_HONEST, *_ATTACKS):
        lived = live(diary, Random(f"{seed} {kind}"), max(1, round(share * accounts)))
        kinds |= dict.fromkeys(lived, kind)
    events = diary.events()
    return SampleDay(events, MappingProxyType(kinds), frozenset(diary.abusive))
