"""Opponents by archetype: a module each, found by being here."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from fairgate.simulate.operator import Archetype


def archetypes() -> Mapping[str, Archetype]:
    """All that there are, by name: the `ARCHETYPE` of each module here."""
    names = sorted(each.name for each in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").ARCHETYPE for name in names}
