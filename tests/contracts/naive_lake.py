"""The lake in its simplest form: a list of rows. The real ones must do as it does."""

from dataclasses import dataclass, field
from datetime import date

from fairgate.ports.lake import Covered

#: A row: its sequence, day of receipt, and a value; the value's column may be missing, which reads as None.
Row = tuple[int, date, int | None]


@dataclass
class NaiveLake:
    """Does what the port says, where that can be told from outside."""

    upto: Covered = field(default_factory=lambda: Covered(0, -1))
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def append(self, added: dict[str, list[Row]], upto: Covered) -> None:
        for event_type, rows in added.items():
            self.rows.setdefault(event_type, []).extend(rows)
        self.upto = upto

    def drop(self, event_type: str, before: date) -> int:
        had = self.rows.get(event_type, [])
        kept = [row for row in had if row[1] >= before]
        self.rows[event_type] = kept
        if not kept:
            del self.rows[event_type]
        return len(had) - len(kept)

    def before(self, sequence: int | None) -> dict[str, list[Row]]:
        """The rows below a sequence, or all, of each type that has some."""
        end = self.upto.sequence if sequence is None else sequence
        seen = {name: [row for row in rows if row[0] < end] for name, rows in self.rows.items()}
        return {name: rows for name, rows in seen.items() if rows}

    def copy(self) -> "NaiveLake":
        return NaiveLake(self.upto, {name: list(rows) for name, rows in self.rows.items()})
