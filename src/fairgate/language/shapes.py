"""Whether a value read from TOML fits a msgspec shape. Tells every misfit with its path; msgspec stops at the first."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec import inspect

from fairgate.language.places import KEY, Path
from fairgate.language.problems import one_of


class Misfit(NamedTuple):
    """What is wrong at a path below the value, and what to do about it."""

    path: Path
    what: str
    hint: str = ""


#: The Python types that a shape takes, and how people call it.
_TAKES: Mapping[type[inspect.Type], tuple[tuple[type, ...], str]] = {
    inspect.StrType: ((str,), "a text"),
    inspect.LiteralType: ((str,), "a text"),
    inspect.EnumType: ((str,), "a text"),
    inspect.IntType: ((int,), "a whole number"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.BoolType: ((bool,), "true or false"),
    inspect.DateTimeType: ((datetime, str), "a time"),
    inspect.NoneType: ((), ""),
    inspect.CustomType: ((str,), "a text"),
    inspect.ListType: ((list,), "an array"),
    inspect.DictType: ((dict,), "a table"),
    inspect.StructType: ((dict,), "a table"),
}
_GIVEN: Mapping[type, str] = {
    str: "a text", int: "a number", float: "a number", bool: "true or false", list: "an array", dict: "a table",
}  # fmt: skip
#: Beyond this a number is not exact.
_LARGEST = 2**53


def misfits(value: object, shape: inspect.Type, path: Path = ()) -> Iterator[Misfit]:
    """Every reason why a value doesn't fit; none if it does."""
    shape = _bare(shape)
    if isinstance(shape, inspect.AnyType):
        return
    options = [_bare(each) for each in shape.types] if isinstance(shape, inspect.UnionType) else [shape]
    fitting = next((option for option in options if _takes(option, value)), None)
    match fitting, value:
        case None, _:
            wanted = " or ".join(
                dict.fromkeys(_TAKES[type(option)][1] for option in options if _TAKES[type(option)][1])
            )
            yield Misfit(path, f"this is {_GIVEN.get(type(value), 'a time')}, where {wanted} is needed")
        case inspect.StructType(fields=fields), dict():
            yield from _table(value, fields, path)
        case inspect.DictType(key_type=key_type, value_type=value_type), dict():
            for key, each in value.items():
                yield from misfits(key, key_type, (*path, key, KEY))
                yield from misfits(each, value_type, (*path, key))
        case inspect.ListType(item_type=item_type), list():
            for index, each in enumerate(value):
                yield from misfits(each, item_type, (*path, index))
        case inspect.IntType() | inspect.FloatType(), int() | float():
            yield from _number(value, fitting, path)
        case inspect.LiteralType() | inspect.EnumType(), _:
            yield from _word(value, fitting, path)


def limits_of(shape: inspect.IntType | inspect.FloatType) -> str:
    """The limits of a number in words; empty where it has none."""
    words = ((shape.ge, "at least"), (shape.gt, "above"), (shape.le, "at most"), (shape.lt, "below"))
    return " and ".join(f"{word} {limit:,}" for limit, word in words if limit is not None)


def _number(value: float, shape: inspect.IntType | inspect.FloatType, path: Path) -> Iterator[Misfit]:
    """NaN keeps no limits."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        yield Misfit(path, "this number is too large to be exact", "numbers go to 2**53")
    elif not (
        (shape.ge is None or value >= shape.ge)
        and (shape.gt is None or value > shape.gt)
        and (shape.le is None or value <= shape.le)
        and (shape.lt is None or value < shape.lt)
    ):
        yield Misfit(path, f"this must be {limits_of(shape)}")


def _word(value: object, shape: inspect.LiteralType | inspect.EnumType, path: Path) -> Iterator[Misfit]:
    words = shape.values if isinstance(shape, inspect.LiteralType) else tuple(each.value for each in shape.cls)
    if value not in words:
        yield Misfit(path, f"`{value}` is not one of the words for this", one_of(str(value), map(str, words)))


def _bare(shape: inspect.Type) -> inspect.Type:
    """A shape without its description."""
    return shape.type if isinstance(shape, inspect.Metadata) else shape


def _takes(shape: inspect.Type, value: object) -> bool:
    """True and false are no numbers, though Python has them so."""
    takes, _ = _TAKES[type(shape)]
    return isinstance(value, takes) and (not isinstance(value, bool) or bool in takes)


def _table(value: Mapping[str, object], fields: tuple[inspect.Field, ...], path: Path) -> Iterator[Misfit]:
    known = {each.encode_name: each for each in fields}
    for key in value:
        if key not in known:
            yield Misfit((*path, key, KEY), f"there is no `{key}` here", one_of(key, known))
    for name, each in known.items():
        if name in value:
            yield from misfits(value[name], each.type, (*path, name))
        elif each.required:
            yield Misfit(path, f"`{name}` is missing here")
