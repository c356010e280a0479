"""The worlds that ship, by name."""

from pathlib import Path
from typing import Final

from fairgate.domain.errors import NoSuchWorld
from fairgate.language.problems import nearest
from fairgate.simulate.simulation import KNOWN
from fairgate.simulate.world_file import Loaded, read_world

_SHIPPED: Final = Path(__file__).parent / "worlds"


def world_path(name: str) -> Path:
    """A world's file: the one at a path, or the one of this name that ships. Raises `NoSuchWorld`."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = {each.stem: each for each in _SHIPPED.glob("*.toml")}
    if name not in shipped:
        raise NoSuchWorld(name, nearest(name, shipped) or f"those that ship are {', '.join(sorted(shipped))}.")
    return shipped[name]


def world_named(name: str) -> Loaded:
    """The world at a path, or the one of this name that ships. Raises `NoSuchWorld` and `BadWorld`."""
    return read_world(world_path(name), KNOWN)
