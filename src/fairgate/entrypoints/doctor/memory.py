"""The ban memory: how much is remembered of banned accounts, until when, and whether anybody looks it up."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from fairgate.domain.event import moment
from fairgate.domain.memory import Memory
from fairgate.entrypoints.doctor.finding import WHOLE_LOG, Finding, Installation, ok, warn
from fairgate.pipeline.records import ListRecord, MemoryRecord, Record, UndoRecord, decode

#: Identifiers that the door has in memory at ease.
_MANY: Final = 500_000
#: Records of a long log that are looked through: what is remembered is said again in it every day.
_LATELY: Final = 1_000_000
#: How records begin that say what is remembered, or that it is no more.
_BEGINNINGS: Final = (b"\xa6memory", b"\xa4undo", b"\xa4list")


def ban_memory(at: Installation) -> Finding:
    """How large it is, and when it ends. Raises `PackError` and `LogError`."""
    lists = sorted(each.name for each in at.checked.pack.lists.values() if each.remembers is not None)
    tokens = _tokens(at)
    if not tokens:
        words = f"nothing is remembered in {', '.join(lists)}" if lists else "the pack has no list that remembers"
    else:
        until = f"{moment(max(tokens.values())):%Y-%m-%d}"
        words = f"{len(tokens):,} identifiers of banned accounts are remembered, the last until {until}"
    if lists and not at.settings.desk.enabled:
        remedy = "Switch the desk on: it looks up what banned accounts used. Until then no new ban is remembered."
        return warn(f"{words}, and the desk is switched off", remedy)
    if len(tokens) > _MANY:
        return warn(words, "Let the pack's lists remember for a shorter time: `for` in their `remembers`.")
    return ok(words)


def _tokens(at: Installation) -> Mapping[tuple[str, str], int]:
    """What stands in lists to know somebody again, by list and token, and until when."""
    memories: dict[int, Memory] = {}
    for record in _records(at):
        match record:
            case MemoryRecord():
                memories |= {each.action: each for each in record.memories}
            case UndoRecord():
                for number in record.numbers:
                    memories.pop(number, None)
            case ListRecord() if record.until <= record.received:
                memories = {action: _without(each, record) for action, each in memories.items()}
            case _:
                pass
    found: dict[tuple[str, str], int] = {}
    for each in (item for memory in memories.values() for item in memory.items if item.until > at.now):
        found[each.list, each.token] = max(each.until, found.get((each.list, each.token), 0))
    return found


def _without(memory: Memory, taken_off: ListRecord) -> Memory:
    place = taken_off.list, taken_off.value
    return replace(memory, items=tuple(each for each in memory.items if (each.list, each.token) != place))


def _records(at: Installation) -> Iterator[Record]:
    if at.log is None:
        return
    start = at.log.begin() if at.log_bytes <= WHOLE_LOG else max(at.log.begin(), at.log.end() - _LATELY)
    for number, raw in at.log.read(start):
        if raw[1:8].startswith(_BEGINNINGS):
            yield decode(number, raw)
