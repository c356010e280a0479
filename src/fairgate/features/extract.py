"""From an event to a request of the kernel: one generated function per event type."""

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from xxhash import xxh3_64_intdigest

from fairgate.domain.event import Erased, microseconds
from fairgate.features.plan import FeaturePlan, Slot, SlotKind
from fairgate.features.texts import Texts
from fairgate.language.checked import CheckedPack
from fairgate.language.to_python import Writer, compiled, module_of
from fairgate.language.tree import Attr, Kind, Node

#: (data, time, clock, buffer, byte offset): packs a request.
Extract = Callable[[Any, int, int, memoryview, int], None]
ExtractSlowly = Callable[[Any, int, int, memoryview, int], list[str]]

#: Numbers whose hashes are at hand: spelling one takes ten times as long, and most are of a few, such as hours.
_NUMBERS: Final = 1 << 12
_COUNTED_AT = "    t = t if t < now else now"  # an event whose time is after the log's clock counts at the clock


def compile_extract(
    checked: CheckedPack, name: str, plan: FeaturePlan, texts: Texts, bindings: Mapping[str, Any]
) -> tuple[Extract, ExtractSlowly]:
    """Two functions for an event type: the quick one, and one for when that raises.

    The second packs what it can, leaves missing what can't be computed, and returns the kinds of error. `bindings` are
    the objects that expressions speak of by name, such as the lists, and as `keys` those of personal texts (see
    `Tokens`), which are known even after a text is erased.
    """
    mine, salt = plan.types[name], plan.salt
    namespace: dict[str, Any] = {
        **bindings,
        "nan": math.nan,
        "micros": microseconds,
        "hashed": xxh3_64_intdigest,
        "lost": _lost,
        "salt": salt,
        "hash_number": lambda number: hash_number(number, salt) if _there(number) else 0,
        "number_of_text": texts.number,
        "number_of_time": lambda time: float(time) if time is not None else math.nan,
    }
    writer = Writer(checked.pack.event_types[name], checked.semantics, {}, namespace)
    sources = [_source(slot, writer) for slot in mine.slots]
    layout = struct.Struct("=Qqq" + "".join("d" if slot.kind == SlotKind.NUMBER else "Q" for slot in mine.slots))
    namespace |= {"pack_into": layout.pack_into, "index": mine.index}
    pack = f"    pack_into(buffer, at, index, now, t, {', '.join(sources)})"
    quick = module_of("def extract(d, t, now, buffer, at):", writer, [_COUNTED_AT, pack])
    slowly = "\n".join(_slow_lines(writer, mine.slots, sources))
    return compiled(quick, "extract", namespace), compiled(slowly, "extract_slowly", namespace)


def _slow_lines(writer: Writer, slots: Sequence[Slot], sources: Sequence[str]) -> Iterator[str]:
    """One attribute, then one value at a time: an attribute that raises is None, and what needs it raises in turn."""
    yield from ("def extract_slowly(d, t, now, buffer, at):", "    values, failed = [], []", _COUNTED_AT)
    for name, source in writer.loads.items():
        yield from _attempt(f"{name} = {source}", f"{name} = None")
    for slot, source in zip(slots, sources, strict=True):
        if slot.kind == SlotKind.NUMBER:
            yield from _attempt(f"values.append(float({source}))", "values.append(nan)")
        else:
            yield from _attempt(f"values.append({source})", "values.append(0)")
    yield from ("    pack_into(buffer, at, index, now, t, *values)", "    return failed")


def _attempt(statement: str, otherwise: str) -> Iterator[str]:
    yield from ("    try:", f"        {statement}", "    except Exception as error:", f"        {otherwise}")
    yield "        failed.append(type(error).__name__)"


def hash_text(text: str, salt: int) -> int:
    """The hash of a key or value that is a text; never 0."""
    return xxh3_64_intdigest(text.encode(), salt) or 1


@lru_cache(_NUMBERS)
def hash_number(number: float, salt: int) -> int:
    """The hash of a key or value that is a number; never 0."""
    return xxh3_64_intdigest(_spelt(number), salt) or 1


def _lost(value: object, part: str) -> int:
    """The key of a personal text that is not there in clear: 0, unless it was there before its subject was erased."""
    return value.keys.get("" if part == "value" else part, 0) if isinstance(value, Erased) else 0


def _there(number: float | None) -> bool:
    return number is not None and not math.isnan(number)


def _spelt(number: float) -> bytes:
    """The same bytes for equal numbers: 5 and 5.0, 0.0 and -0.0."""
    return repr(float(number) + 0.0).encode()


def _source(slot: Slot, writer: Writer) -> str:
    if slot.value is None:
        source = "1.0"
    elif slot.kind == SlotKind.NUMBER:
        source = _number(slot.value, writer)
    else:
        source = _hash(slot.value, writer)
    if slot.where is None:
        return source
    return f"({source} if {writer.true(slot.where)} else {'nan' if slot.kind == SlotKind.NUMBER else '0'})"


def _hash(node: Node, writer: Writer) -> str:
    if node.kind in (Kind.NUMBER, Kind.TIME):
        return f"hash_number({writer.value(node)})"
    there, value = writer.there(node)  # written out, not called: this is done for every key of every event
    if isinstance(node, Attr) and writer.identifies(node):
        return f"(keys[{value}] if {there} else lost(d.{node.name}, {node.part!r}))"
    hashed = f"(hashed({value}.encode(), salt) or 1)"
    return f"({hashed} if {there} else 0)" if there else hashed


def _number(node: Node, writer: Writer) -> str:
    match node.kind:
        case Kind.BOOL:
            return f"(1.0 if {writer.true(node)} else 0.0 if {writer.false(node)} else nan)"
        case Kind.TEXT:
            return f"number_of_text({writer.value(node)})"
        case Kind.TIME:
            return f"number_of_time({writer.value(node)})"
        case _:
            return writer.value(node)
