"""What a process of the arena does: load a world and a pack, and play."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fairgate.domain.pack import Mode, Pack, Rule, Stage
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.simulate.arena.many import Reporter
from fairgate.simulate.arena.outcome import Outcome
from fairgate.simulate.arena.run import Game, run
from fairgate.simulate.scarcity import Scarcity
from fairgate.simulate.simulation import repriced, sampled
from fairgate.simulate.world_file import Loaded
from fairgate.simulate.world_names import world_named
from fairgate.wiring import calm_collector


@dataclass(frozen=True, slots=True)
class Setting:
    """A world by file or name, of which `honest` accounts are sampled and in which prices are so many times as high."""

    world: str
    honest: int | None = None
    prices: float = 1.0

    def load(self) -> Loaded:
        """The world. Raises `NoSuchWorld`, `BadWorld`, and `NotPlayable` for a sample that can't be taken."""
        world = world_named(self.world)
        if self.honest is not None:
            world = sampled(world, self.honest)
        return world if self.prices == 1.0 else repriced(world, self.prices)


@dataclass(frozen=True, slots=True)
class Job:
    """A run: a setting, a pack by its files' texts, the rules that are put live whatever they say, days and a seed.

    With `scarcity`, compute is scarce.
    """

    setting: Setting
    files: Mapping[str, str]
    live: frozenset[str]
    days: int
    seed: int
    scarcity: Scarcity | None = None


def play(job: Job, go_on: Reporter) -> Outcome:
    """Play a job in this process."""
    game = Game(job.setting.load(), checked_live(job.files, job.live), job.days, job.seed, job.scarcity)
    calm_collector()
    return run(game, go_on)


def checked_live(files: Mapping[str, str], live: frozenset[str]) -> CheckedPack:
    """A pack with some of its rules put live. Raises `PackError`."""
    pack = pack_from_texts(files)
    return check_pack(replace(pack, rules=tuple(_live(pack, live))), TYPES)


def _live(pack: Pack, live: frozenset[str]) -> list[Rule]:
    return [replace(rule, mode=Mode(Stage.LIVE, 1.0)) if rule.name in live else rule for rule in pack.rules]
