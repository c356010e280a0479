"""An opponent's story has what it did and saw, its money to the cent, and only for managers what it could not know."""

import re

import pytest

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.arena.run import Game, run
from fairgate.simulate.arena.story import Chronicle
from fairgate.simulate.arena.tables import Section
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_file import Loaded
from fairgate.wiring import load_checked
from tests.unit.simulate.worlds import world_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def story(world: Loaded, kind: str, days: int, pack: str = "ai_api") -> tuple[list[Section], Simulation]:
    kept: list[tuple[Chronicle, Simulation]] = []

    def watch(simulation: Simulation) -> Chronicle:
        kept.append((Chronicle(simulation, kind), simulation))
        return kept[0][0]

    run(Game(world, load_checked(pack), days, 1), watch=watch)
    return list(kept[0][0].sections()), kept[0][1]


@pytest.mark.parametrize("kind", sorted(archetypes()))
def test_every_archetype_has_one(world: Loaded, kind: str) -> None:
    sections, _ = story(world, kind, 25)
    assert sections[0].title == "How it begins"
    assert [each.title for each in sections[-2:]] == ["How it ends", "For a manager"]
    chapters = sections[1:-2]
    assert chapters
    assert all("I tried " in each.words[0] for each in chapters if each.title.startswith("Day"))


def test_its_money_is_the_purses(world: Loaded) -> None:
    sections, simulation = story(world, "credit_farm", 25)
    [mine] = [each for each in simulation.operators if each.archetype == "credit_farm"]
    [had] = re.findall(r"with ([\d,]+) dollars", sections[0].words[0])
    [gain] = re.findall(r"([+-][\d,.]+)\. Of", sections[-2].words[1])
    assert float(had.replace(",", "")) + float(gain.replace(",", "")) == pytest.approx(mine.purse, abs=1.0)
    spent = [float(each) for one in sections[1:-2] for each in re.findall(r"It cost me ([\d.]+)", " ".join(one.words))]
    [whole] = re.findall(r"I spent ([\d,.]+) dollars", sections[-2].words[1])
    assert sum(spent) == pytest.approx(float(whole.replace(",", "")), abs=0.5)


def test_it_does_not_know_what_was_decided(world: Loaded) -> None:
    sections, _ = story(world, "credit_farm", 25)
    mine = " ".join(words for each in sections[:-1] for words in each.words)
    rules = [each.rule.name for each in load_checked("ai_api").rules]
    assert not [rule for rule in rules if rule in mine]
    assert [rule for rule in rules if rule in " ".join(sections[-1].words)]


def test_who_tried_nothing_has_none(world: Loaded) -> None:
    with pytest.raises(NotPlayable, match="No unheard_of tried anything"):
        story(world, "unheard_of", 2)
