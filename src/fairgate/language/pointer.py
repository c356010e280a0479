"""Faults at keys whose place the pack doesn't keep: found again in its files, from the place of what they belong to."""

from collections.abc import Mapping

from fairgate.domain.pack import Place
from fairgate.language.places import Path, Spot, positions
from fairgate.language.problems import Problems


class Pointer:
    """Notes faults in the TOML files of a pack, which must be sound."""

    def __init__(self, files: Mapping[str, str], problems: Problems) -> None:
        self._files = files
        self._problems = problems
        self._spots: dict[str, Mapping[Path, Spot]] = {}

    def note(self, place: Place, keys: Path, what: str, hint: str = "") -> None:
        """Note a fault at the value that `keys` lead to, from the table at `place` or the one whose name stands there.

        Of keys that lead nowhere the last is left out, so that the fault is noted at `place` itself if need be.
        """
        spots = self._spots_of(place.file)
        here = [path for path, spot in spots.items() if (spot.line, spot.column) == (place.line, place.column)]
        tables = [*here, *(path[:-1] for path in here)] if keys else here[-1:]
        found = next((spots[table + keys] for table in tables if table + keys in spots), None)
        if found is not None:
            self._problems.add(Place(place.file, found.line, found.column), what, width=found.width, hint=hint)
        elif keys:
            self.note(place, keys[:-1], what, hint)
        else:
            self._problems.add(place, what, hint=hint)

    def _spots_of(self, file: str) -> Mapping[Path, Spot]:
        """The spots in a file; only asked for where there is a fault, so a sound pack is not scanned twice."""
        if file not in self._spots:
            self._spots[file] = positions(self._files[file]) if file in self._files else {}
        return self._spots[file]
