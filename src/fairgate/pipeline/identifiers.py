"""What accounts used, as log and lake have it: tokens that a list may remember, and of nobody else's things."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import polars as pl

from fairgate.domain.memory import MOST_EACH
from fairgate.domain.pack import ListSpec, Pack, Remembers
from fairgate.domain.secret import Secrets, Tokens
from fairgate.ingest.identifiers import TYPES
from fairgate.pipeline.live_lake import LiveLake

_COLUMNS: Final = ("_personal", "_key", "_sealed")


@dataclass(frozen=True, slots=True)
class Identified:
    """What each account used, by list, and how many of the latest events nobody has looked at yet."""

    found: Mapping[str, Mapping[str, Sequence[str]]]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Column:
    """An attribute of an event type that has what a list remembers; `kind` is its semantic type, if it has one."""

    name: str
    kind: str
    rows: pl.LazyFrame


class Identifiers:
    """Looks up what accounts used. One caller at a time.

    An identifier is known under every version of the secret as long as it can be opened; of somebody who was erased,
    under the one that it was recorded by. Raises as `LiveLake` does.
    """

    def __init__(self, lake: LiveLake, secrets: Secrets, opened: Callable[[int, bytes], bytes | None]) -> None:
        self._lake = lake
        self._opened = opened
        self._versions = [Tokens(secrets.versions[at], at) for at in sorted(secrets.versions, reverse=True)]

    def of(self, pack: Pack, lists: Iterable[str], accounts: Sequence[str]) -> Identified:
        """What each of these accounts used, for each of these lists of a pack: what `ListSpec.remembers` says of it."""
        specs = [(spec, spec.remembers) for name in lists if (spec := pack.lists[name]).remembers is not None]
        wanted = {name for _, how in specs if how is not None for name in how.on}
        frames, left_out = self._lake.frames(wanted)
        found: dict[str, dict[str, Sequence[str]]] = {account: {} for account in accounts}
        for spec, how in specs:
            if how is None:
                continue
            columns = _columns(pack, spec, how, frames)
            for account, tokens in self._used(columns, how, accounts).items():
                found[account][spec.name] = tokens
        return Identified(found, left_out)

    def _used(self, columns: Sequence[_Column], how: Remembers, accounts: Sequence[str]) -> Mapping[str, list[str]]:
        """The newest tokens of what each account used and few others did."""
        forms: dict[str, tuple[str, ...]] = {}
        used: dict[str, dict[str, None]] = {account: {} for account in accounts}
        for column in columns:
            asked = column.rows.filter(pl.col("account").is_in(accounts) & pl.col(column.name).is_not_null())
            rows = asked.group_by("account", column.name, maintain_order=True).agg(
                pl.col(each).first() for each in _COLUMNS
            )
            for account, token, names, key, sealed in rows.collect().iter_rows():
                if token not in forms:
                    forms[token] = self._forms(column, token, names, key, sealed)
                used[account][forms[token][0]] = None
        by_newest = {each[0]: each for each in forms.values()}
        few = {account: tokens for account, tokens in used.items() if 0 < len(tokens) <= MOST_EACH}
        asked_of = {newest for tokens in few.values() for newest in tokens}
        users = _users(columns, {form for newest in asked_of for form in by_newest[newest]})
        own = {
            newest
            for newest in asked_of
            if len(set().union(*(users.get(form, set()) for form in by_newest[newest]))) <= how.shared_by
        }
        return {account: [each for each in tokens if each in own] for account, tokens in few.items()}

    def _forms(self, column: _Column, token: str, names: str, key: int, sealed: bytes) -> tuple[str, ...]:
        """All tokens of what a token stands for, the newest first; where that can't be opened any more, itself."""
        opened = self._opened(key, sealed) if sealed is not None else None
        if opened is None:
            return (token,)
        value = dict(zip(names.split(), msgspec.msgpack.decode(opened), strict=True))[column.name]
        semantic = TYPES.get(column.kind)
        text = semantic.canonical(value) if semantic is not None else str(value)
        return tuple(version.text(text) for version in self._versions)


def _columns(pack: Pack, spec: ListSpec, how: Remembers, frames: Mapping[str, pl.LazyFrame]) -> list[_Column]:
    """Where a list's identifiers stand, as far as there are such rows."""
    found = []
    for name, rows in frames.items():
        if name in how.on:
            there = rows.collect_schema().names()
            found += [
                _Column(each.name, each.type, rows)
                for each in pack.event_types[name].attributes
                if each.entity == spec.entity and {each.name, "account", *_COLUMNS} <= set(there)
            ]
    return found


def _users(columns: Sequence[_Column], tokens: set[str]) -> Mapping[str, set[str]]:
    """The accounts that used what each token stands for."""
    users: dict[str, set[str]] = {}
    for column in columns:
        asked = column.rows.filter(pl.col(column.name).is_in(sorted(tokens)) & pl.col("account").is_not_null())
        for token, account in asked.select(column.name, "account").unique().collect().iter_rows():
            users.setdefault(token, set()).add(account)
    return users
