"""What is in force beside the events, as the records that said it last: entries of lists, what is switched off."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from fairgate.detect.lists import Lists
from fairgate.pipeline.records import ListRecord, SwitchRecord

Said: TypeAlias = ListRecord | SwitchRecord


class InForce:
    """The last record about each entry and each switch, whatever pack is live: what comes with a pack is not here.

    Read back in this order, they make lists and switches what they are.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], ListRecord] = {}
        self._off: dict[str, SwitchRecord] = {}

    def take(self, record: Said) -> None:
        """Take in what was just said."""
        if isinstance(record, ListRecord):
            # It moves to the end: under another secret the same text has another token, and the last word counts.
            self._entries.pop((record.list, record.value), None)
            self._entries[record.list, record.value] = record
        elif record.off:
            self._off[record.rule] = record
        else:
            self._off.pop(record.rule, None)

    def records(self, now: int, lists: Lists) -> Sequence[Said]:
        """All that still says anything at a time, under a pack with these lists; the rest is forgotten.

        An entry that has ended says something only where the list's files may have the value, or the pack has no such
        list: another may have.
        """
        self._entries = {key: each for key, each in self._entries.items() if each.until > now or not lists.bare(key[0])}
        return [*self._entries.values(), *self._off.values()]

    def __iter__(self) -> Iterator[Said]:
        """Everything that was taken in and not forgotten."""
        yield from self._entries.values()
        yield from self._off.values()
