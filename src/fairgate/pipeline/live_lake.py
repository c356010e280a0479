"""The lake together with the events that are not in it yet: what people ask."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import polars as pl

from fairgate.domain.errors import NotInLake
from fairgate.domain.secret import Secrets, Tokens
from fairgate.ingest.identifiers import TYPES
from fairgate.language.semantic import SemanticType
from fairgate.pipeline.compaction import Compaction
from fairgate.ports.lake import Answer, Lake, Sight, SqlLimits


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's answer, and how many of the latest events it doesn't know of."""

    answer: Answer
    left_out: int


class LiveLake:
    """Answers queries about everything that is durable in the log. One caller at a time.

    Each event is seen once, whatever another process takes from the log into the lake meanwhile. `refresh` makes the
    log show what was written to it since, `opened` opens what is sealed (see `Seals.open`). Raises as `Compaction` and
    `Lake` do.
    """

    def __init__(
        self,
        lake: Lake,
        compaction: Compaction,
        refresh: Callable[[], object],
        secrets: Secrets,
        opened: Callable[[int, bytes], bytes | None],
    ) -> None:
        self.lake = lake
        self._compaction = compaction
        self._refresh = refresh
        self._tokens = tokens_of(secrets)
        self._opened = opened

    def ask(self, query: str, limits: SqlLimits, *, personal: bool = False) -> Asked:
        """Answer one SELECT. `personal` columns are masked unless that is said."""
        tail = self._compaction.tail(self._refresh)
        sight = Sight(tail.frames, tail.start, self._tokens, self._unsealed if personal else None)
        return Asked(self.lake.sql(query, limits, sight), tail.left_out)

    def frame(self, event_type: str) -> pl.LazyFrame:
        """All rows of a type, in order of `_sequence`; personal columns are masked. Raises `NotInLake`."""
        tail = self._compaction.tail(self._refresh)
        rows = tail.frames.get(event_type)
        if rows is None:
            return self.lake.scan(event_type, tail.start)
        newest = rows.with_columns(pl.col("_received").dt.date().alias("_day")).lazy()
        try:
            return pl.concat([self.lake.scan(event_type, tail.start), newest], how="diagonal_relaxed")
        except NotInLake:
            return newest

    def frames(self, event_types: Iterable[str]) -> tuple[dict[str, pl.LazyFrame], int]:
        """As `frame`, for each type that there are rows of; and how many of the latest events they don't have."""
        tail = self._compaction.tail(self._refresh)
        found = {}
        for name in event_types:
            rows = []
            with suppress(NotInLake):
                rows.append(self.lake.scan(name, tail.start))
            if name in tail.frames:
                rows.append(tail.frames[name].lazy())
            if rows:
                found[name] = pl.concat(rows, how="diagonal_relaxed")
        return found, tail.left_out

    def _unsealed(self, key: int, sealed: bytes) -> Sequence[object] | None:
        opened = self._opened(key, sealed)
        return None if opened is None else msgspec.msgpack.decode(opened)


def tokens_of(secrets: Secrets) -> Callable[[str], Sequence[str]]:
    """What may stand for a text: tokens of the text itself and of its canonical forms, the newest secret's first."""
    versions = [Tokens(secrets.versions[version], version) for version in sorted(secrets.versions, reverse=True)]

    def tokens(text: str) -> list[str]:
        forms = dict.fromkeys(
            [text, *(form for each in TYPES.values() if (form := _canonical(each, text)) is not None)]
        )
        return [version.text(form) for version in versions for form in forms]

    return tokens


def _canonical(semantic: SemanticType, text: str) -> str | None:
    try:
        return semantic.canonical(text)
    except ValueError:
        return None
