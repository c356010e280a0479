"""What was said of accounts and capacities, by hand and by decisions: a file of lines, read again at every start.

A line is on disk before what it says counts. Lines that no longer count are taken out at a start, once there are many;
those of them that somebody said by hand are kept beside the file: they are the record of who set which ceiling, when
and why.
"""

import logging
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import msgspec

from fairgate.domain.event import moment
from fairgate.entrypoints.share.decisions import Decisions
from fairgate.entrypoints.share.line_file import LineFile
from fairgate.entrypoints.share.lines import Line, Resized, Said
from fairgate.ports.clock import Clock
from fairgate.share import Share

#: Lines that no longer count are taken out when there are so many of them, and more than of those that do.
MANY: Final = 1_000
_log = logging.getLogger(__name__)


class Standings:
    """The file's lines, and the end to append to. One process has it at a time. Raises `SharesUnusable`."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.clock = clock
        self._decoder = msgspec.json.Decoder(Line)
        self._file = LineFile(path)
        #: The version in place, by account.
        self.versions: dict[str, int] = {}

    def restore(self, share: Share, decisions: Decisions) -> int:
        """Say all of it to a share, and to what decisions come to; returns how many lines there were.

        A capacity counts as long as the settings say what they said when it was set.
        """
        count = 0
        hand: dict[tuple[object, ...], int] = {}
        configured = {name: stock.pool.capacity for name, stock in share.stocks.items()}
        for count, _, line in self._lines():
            if isinstance(line, Said):
                if share.set_principal(line.account, line.standing, line.version):
                    self.versions[line.account] = line.version
                    hand[Said, line.account] = count
            elif isinstance(line, Resized):
                hand[Resized, line.pool, line.instead_of] = count
                if configured.get(line.pool) == line.instead_of:
                    share.set_capacity(line.pool, line.capacity)
            else:
                decisions.take(line)
        for account in decisions.accounts:
            share.bind(account, decisions.ceil_of(account))
        needed = len(hand) + len(decisions)
        if count - needed > max(MANY, needed):
            self._compact(frozenset(hand.values()), decisions)
        return count

    def append(self, lines: Sequence[Line]) -> None:
        """Write lines down, all of them or none; they are on disk when this returns. One thread at a time."""
        self._file.append([msgspec.json.encode(line) + b"\n" for line in lines])

    def now(self) -> str:
        """The time as lines have it."""
        return moment(self.clock.now()).isoformat()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _compact(self, hand: AbstractSet[int], decisions: Decisions) -> None:
        """Keep the lines of these numbers, and what is needed of decisions. Where that can't be, all lines stay."""
        kept: list[bytes] = []
        past: list[bytes] = []
        for number, text, line in self._lines():
            if isinstance(line, Said | Resized):
                (kept if number in hand else past).append(text)
            elif decisions.needs(line):
                kept.append(text)
        try:
            self._file.replace(kept, past)
        except OSError as error:
            what = "lines that no longer count can't be taken out of the share's file, which is used as it is"
            _log.warning(what, exc_info=error)

    def _lines(self) -> Iterator[tuple[int, bytes, Line]]:
        for number, text in enumerate(self._file, 1):
            try:
                line = self._decoder.decode(text)
            except (msgspec.DecodeError, ValueError) as error:
                raise self._file.unusable(f"line {number} is not as it was written") from error
            yield number, text, line
