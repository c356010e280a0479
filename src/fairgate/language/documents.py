"""A pack's TOML files as tables of known shape, each with the place it stands at."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec import inspect

from fairgate.domain.pack import Place, Text
from fairgate.language.pack_tables import SECTIONS, Table
from fairgate.language.places import Path, Spot, positions
from fairgate.language.problems import Problems, one_of
from fairgate.language.shapes import misfits

T = TypeVar("T", bound=Table)

_TOML_FAULT = re.compile(
    r"(?P<what>.*?)(?: \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\))?$", re.DOTALL
)


class Documents:
    """The TOML files among a pack's files. Faults of form are noted; what is sound is given."""

    def __init__(self, files: Mapping[str, str], problems: Problems) -> None:
        self._problems = problems
        self._spots: dict[str, Mapping[Path, Spot]] = {}
        self._tables: dict[str, list[tuple[str, Path, object]]] = {section: [] for section in SECTIONS}
        for file, text in files.items():
            if file.endswith(".toml"):
                self._read(file, text)

    def place(self, file: str, path: Path) -> Place:
        """The place of a path, or of the nearest table around it."""
        spot = self._spot(file, path)
        return Place(file, spot.line, spot.column)

    def text(self, file: str, path: Path, source: str) -> Text:
        """A piece of rule language, with how the file spells it where that differs."""
        spot = self._spot(file, path)
        written = "" if spot.written == source else spot.written
        return Text(source, Place(file, spot.line, spot.column), written)

    def tables(self, section: str, shape: type[T]) -> Iterable[tuple[str, Path, T]]:
        """Each table of a section in its shape; those that don't fit are noted and left out."""
        form = inspect.type_info(shape)
        for file, path, value in self._tables[section]:
            found = list(misfits(value, form))
            for misfit in found:
                spot = self._spot(file, (*path, *misfit.path))
                place = Place(file, spot.line, spot.column)
                self._problems.add(place, misfit.what, width=spot.width, hint=misfit.hint)
            if not found:
                yield file, path, msgspec.convert(value, shape)

    def _read(self, file: str, text: str) -> None:
        try:
            document = tomllib.loads(text)
            self._spots[file] = positions(text)
        except RecursionError:
            self._problems.add(Place(file, 1, 1), "this TOML is nested too deeply")
            return
        except ValueError as error:  # a TOMLDecodeError, or a number with more digits than Python reads
            self._not_toml(file, text, str(error))
            return
        for section, value in document.items():
            if section not in SECTIONS:
                what = f"there is no section `{section}`"
                self._problems.add(self.place(file, (section,)), what, hint=one_of(section, SECTIONS))
            else:
                self._sort(file, section, value)

    def _sort(self, file: str, section: str, value: object) -> None:
        written, tables = SECTIONS[section][0], self._tables[section]
        if section in ("event", "action") and isinstance(value, dict):
            tables += [(file, (section, name), each) for name, each in value.items()]
        elif written.startswith("[[") and isinstance(value, list):
            tables += [(file, (section, index), each) for index, each in enumerate(value)]
        elif section in ("pack", "appeal", "bulk", "cases", "source") and isinstance(value, dict):
            tables.append((file, (section,), value))
        else:
            self._problems.add(self.place(file, (section,)), f"`{section}` is written {written}")

    def _not_toml(self, file: str, text: str, message: str) -> None:
        match = _TOML_FAULT.match(message)
        what = match["what"] if match else message
        if match and match["line"]:
            place = Place(file, int(match["line"]), int(match["column"]))
        else:
            lines = text.rstrip().split("\n")
            place = Place(file, len(lines), len(lines[-1]) + 1) if "end of document" in message else Place(file, 1, 1)
        self._problems.add(place, f"this is not TOML: {what[:1].lower()}{what[1:]}")

    def _spot(self, file: str, path: Path) -> Spot:
        known = self._spots.get(file, {})
        while path and path not in known:
            path = path[:-1]
        return known.get(path, Spot(1, 1))
