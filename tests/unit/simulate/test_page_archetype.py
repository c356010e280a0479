"""The archetype of the page that says how to write one can be dropped in, and is held to what all are held to."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fairgate.domain.action import Action
from fairgate.domain.errors import BadWorld
from fairgate.simulate import opponents
from fairgate.simulate.simulation import KNOWN
from fairgate.simulate.world_file import Loaded, read_world
from tests.unit.simulate import test_archetypes as contract
from tests.unit.simulate.campaigns import campaign, nobody_minds, said
from tests.unit.simulate.worlds import TEXT

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "write-an-archetype.md").read_text("utf-8")
HELD = {
    name: test
    for name, test in vars(contract).items()
    if name.startswith("test_") and {*inspect.signature(test).parameters} == {"world", "kind"}
}


def code(language: str) -> str:
    """The one piece of code in a language on the page."""
    [found] = re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE)
    return str(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the page's file stands, as if it were with the other archetypes."""
    folder = tmp_path_factory.mktemp("opponents")
    (folder / "hopper.py").write_text(code("python"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opponents, "__path__", [*opponents.__path__, str(folder)])
        yield folder
    sys.modules.pop(f"{opponents.__name__}.hopper", None)


def world_with(folder: Path, section: str) -> Loaded:
    """The tests' world with a section more."""
    path = folder / "my_world.toml"
    path.write_text(f"{TEXT}\n{section}")
    found = opponents.archetypes()["hopper"]
    known = {**KNOWN.opponents, "hopper": (found.prices, found.figures)}
    return read_world(path, replace(KNOWN, opponents=known))


@pytest.fixture(scope="module")
def world(folder: Path) -> Loaded:
    return world_with(folder, code("toml"))


@pytest.mark.usefixtures("folder")
def test_it_is_found_and_says_what_it_does() -> None:
    assert opponents.archetypes().keys() > {"hopper"}
    assert opponents.archetypes()["hopper"].about


@pytest.mark.parametrize("name", HELD)
def test_it_keeps_what_all_archetypes_keep(world: Loaded, name: str) -> None:
    test: Callable[..., None] = HELD[name]
    test(world=world, kind="hopper")


def test_the_page_names_as_many_things_as_all_are_held_to() -> None:
    held = PAGE.partition("all of them keep:\n\n")[2].partition("\n\n")[0]
    assert held.count("* ") == len(HELD) >= 4


def test_it_leaves_the_way_that_is_stopped(world: Loaded) -> None:
    kept = ("gmail.com", "outlook.com")

    def no_throwaway_mail(event: dict[str, object], _time: int) -> Action:
        good = event["type"] != "account.signup" or str(said(event)["email"]).endswith(kept)
        return Action.ALLOW if good else Action.BAN

    free, stopped = (campaign("hopper", world, decides, days=150).ways for decides in (nobody_minds, no_throwaway_mail))
    late = stopped[len(stopped) // 2 :]
    assert sum("bought" in each for each in late) > 0.8 * len(late)
    assert sum("throwaway" in each for each in free) > 0.3 * len(free)


def test_without_its_figure_the_world_is_refused_as_the_page_shows(folder: Path) -> None:
    section = code("toml")
    rests = next(line for line in section.splitlines(keepends=True) if line.startswith("more.rests"))
    with pytest.raises(BadWorld) as refused:
        world_with(folder, section.replace(rests, ""))
    shown = re.search(r"(?ms)^    (my_world\.toml:.*?)\n\n", PAGE)
    assert shown is not None
    numbers = re.compile(r"\d+")
    told = str(refused.value).replace(f"{folder}/", "")
    assert numbers.sub("9", told) == numbers.sub("9", re.sub(r"(?m)^    ", "", shown[1]))
