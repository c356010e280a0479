"""Who changes something by hand. A module of its own, which the command line names without what changes it."""

from collections.abc import Callable
from dataclasses import dataclass

from fairgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Operator:
    """Who changes something, why, on which data, and how they are told what came of it.

    `url` and `key` are of the door; without `url` it is looked for where the settings say, and only if it is running.
    """

    settings: Settings
    by: str
    why: str
    echo: Callable[[str], object]
    url: str | None = None
    key: str | None = None
