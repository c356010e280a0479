"""A TOML file as a msgspec shape: refused whole, with every fault at its line and column."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as File
from typing import TypeVar

import msgspec
from msgspec import inspect

from fairgate.domain.errors import FairgateError
from fairgate.domain.pack import Place
from fairgate.language.places import KEY, Path, Spot, positions
from fairgate.language.problems import Problems, in_order, render
from fairgate.language.shapes import Misfit, misfits

T = TypeVar("T")


def read_shape(
    file: File,
    shape: type[T],
    refuse: type[FairgateError],
    *,
    hook: Callable[[type, object], object] | None = None,
    faults: Callable[[T], Iterable[Misfit]] = lambda _: (),
) -> T:
    """A file's table as a shape, if it fits and has no further `faults`.

    `hook` makes what TOML has no type for (see `msgspec.convert`). Raises `refuse`: the file can't be read, or has
    faults, each of which is told with its line.
    """
    try:
        text = file.read_text("utf-8")
        values, spots = tomllib.loads(text), positions(text)
    except OSError as error:
        raise refuse(f"{file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise refuse(f"{file} can't be read: it is not UTF-8 at byte {error.start}.") from error
    except (ValueError, RecursionError) as error:  # a number with more digits than Python reads is a plain ValueError
        raise refuse(f"{file}: this is not TOML: {error}.") from error
    found = list(misfits(values, inspect.type_info(shape)))
    if not found:
        try:
            made = msgspec.convert(values, shape, dec_hook=hook)
        except msgspec.ValidationError as error:  # what a table says of its keys together
            found = [_misfit(str(error))]
        else:
            found = list(faults(made))
            if not found:
                return made
    problems = Problems()
    for misfit in found:
        spot, key = _spot(spots, misfit.path), ".".join(str(name) for name in misfit.path if name != KEY)
        place = Place(str(file), spot.line, spot.column)
        problems.add(place, f"{key}: {misfit.what}", width=spot.width, hint=misfit.hint)
    raise refuse("\n\n".join(render(each, {str(file): text}) for each in in_order(problems.found)))


def _misfit(error: str) -> Misfit:
    what, _, where = error.partition(" - at `$.")
    return Misfit(tuple(where.rstrip("`").split(".")), what)


def _spot(spots: Mapping[Path, Spot], path: Path) -> Spot:
    """Where a path, or the nearest table around it, stands."""
    while path and path not in spots:
        path = path[:-1]
    return spots.get(path, Spot(1, 1))
