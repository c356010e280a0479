"""The aggregates: what each gathers and gives, and the check of one where a rule writes it."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from fairgate.domain.windows import EVER, WINDOW_ALIASES, WINDOWS, Window
from fairgate.language.problems import one_of, with_article
from fairgate.language.scope import Scope
from fairgate.language.tree import Aggregate, Attr, Kind, Node, walk


@dataclass(frozen=True, slots=True)
class Gathering:
    """One aggregate of the language.

    `first` is what its argument is: an `event` type, a `number`, a `bool`, `any` value, or one that is `kept` as it is.
    Without `kind` the result is of the argument's type. Where `profile` holds, `over=` may be left out.
    """

    name: str
    about: str
    first: str
    kind: Kind | None = Kind.NUMBER
    profile: bool = False


_TABLE = (
    Gathering("count", "how many events; 0 where there are none", "event"),
    Gathering("total", "the sum of a number; 0 where there is none", "number"),
    Gathering("mean", "the mean of a number; missing where there is none", "number"),
    Gathering("smallest", "the smallest of a number; missing where there is none", "number"),
    Gathering("largest", "the largest of a number; missing where there is none", "number"),
    Gathering("distinct", "how many different values; exact to 16, within 5 % to 3,000; 0 where there are none", "any"),
    Gathering(
        "rate", "how often a condition was true, of the times it was known, 0 to 1; missing where it never was", "bool"
    ),
    Gathering("first", "the first value before this event; missing where there is none", "kept", None, profile=True),
    Gathering("last", "the last value before this event; missing where there is none", "kept", None, profile=True),
    Gathering(
        "since", "seconds since the last such event before this one; missing where there is none", "event", profile=True
    ),
    Gathering(
        "is_new", "whether this event's value was not met before; missing where it is", "any", Kind.BOOL, profile=True
    ),
)

AGGREGATES: Mapping[str, Gathering] = MappingProxyType({each.name: each for each in _TABLE})

_KEYWORDS = ("by", "over", "where", "on")


def aggregate(scope: Scope, node: ast.Call, name: str) -> Aggregate:
    """The aggregate that a call writes; raises `Fault`, noted."""
    if scope.names.event_only:
        raise scope.fault(node, f"{scope.names.event_only} reads the event alone, so `{name}` can't stand here")
    gathering = AGGREGATES[name]
    keywords = _keywords(scope, node, name)
    if len(node.args) != 1 or isinstance(node.args[0], ast.Starred):
        what = "the event type, as text" if gathering.first == "event" else "the value"
        raise scope.fault(node, f"{name}(...) takes one argument before by=: {what}")
    on = _gathered_types(scope, node, gathering, keywords)
    inner = replace(scope, on=on, names=replace(scope.names, event_only="an aggregate"))
    over = _window(scope, node, gathering, keywords.get("over"))
    by = _keys(scope, inner, node, keywords.get("by"))
    value = None if gathering.first == "event" else _value(inner, node.args[0], gathering)
    if name == "is_new":
        _read_here(scope, node.args[0], value)
    where = inner.condition(keywords["where"]) if "where" in keywords else None
    kind = gathering.kind or (value.kind if value else Kind.NUMBER)
    return Aggregate(name, on, value, by, over, where, kind, _canonical(node, gathering, on, over, keywords))


def _keywords(scope: Scope, node: ast.Call, name: str) -> dict[str, ast.expr]:
    found = {}
    for each in node.keywords:
        if each.arg not in _KEYWORDS:
            what = f"{name} has no `{each.arg}=`" if each.arg else "`**` is not in the rule language"
            raise scope.fault(each.value, what, one_of(each.arg or "", _KEYWORDS))
        found[each.arg] = each.value
    return found


def _gathered_types(
    scope: Scope, node: ast.Call, gathering: Gathering, keywords: Mapping[str, ast.expr]
) -> tuple[str, ...]:
    """The event types that an aggregate gathers: named first (count), with `on=`, or the rule's own."""
    named = node.args[0] if gathering.first == "event" else keywords.get("on")
    if gathering.first == "event" and "on" in keywords:
        raise scope.fault(keywords["on"], f"{gathering.name} names its event types first; leave out `on=`")
    if named is None:
        return tuple(sorted(scope.on))
    sources = _elements(named)
    types = scope.texts(sources, 'write the event type in quotes, such as "account.signup"')
    for each, source in zip(types, sources, strict=True):
        if each not in scope.names.event_types:
            raise scope.fault(source, f"there is no event type `{each}`", one_of(each, scope.names.event_types))
    if not types:
        raise scope.fault(named, "an event type is needed here")
    return tuple(sorted(set(types)))


def _window(scope: Scope, node: ast.Call, gathering: Gathering, over: ast.expr | None) -> Window:
    windows = f"windows: {', '.join(WINDOWS)}"
    if over is None:
        if not gathering.profile:
            raise scope.fault(node, f"{gathering.name} needs a window", f'add over="24h" ({windows})')
        return EVER
    length = scope.texts([over], f'write over="24h" ({windows})')[0]
    length = WINDOW_ALIASES.get(length, length)
    if length not in WINDOWS:
        raise scope.fault(over, f"there is no window `{length}`", windows)
    return WINDOWS[length]


def _keys(scope: Scope, inner: Scope, node: ast.Call, by: ast.expr | None) -> tuple[Attr, ...]:
    """The key attributes; both this rule's event types and the gathered ones must have them."""
    sources = _elements(by) if by else []
    if not sources:
        raise scope.fault(by or node, "an aggregate needs a key", "add by=account, or another entity")
    keys = []
    for source in sources:
        mine, theirs = scope.node(source), inner.node(source)
        if not (isinstance(mine, Attr) and isinstance(theirs, Attr)) or mine.kind not in (Kind.TEXT, Kind.NUMBER):
            raise scope.fault(
                source, "a key is an attribute that is a text or a number", "write by=account, or by=(account, ip)"
            )
        if mine != theirs:
            what = (
                f"`{ast.unparse(source)}` is {_type_of(mine)} in {scope.on[0]} and {_type_of(theirs)} in {inner.on[0]}"
            )
            raise scope.fault(source, what)
        keys.append(mine)
    return tuple(keys)


def _value(inner: Scope, node: ast.expr, gathering: Gathering) -> Node:
    if gathering.first in ("number", "bool"):
        return inner.typed(node, Kind(gathering.first))
    value = inner.node(node)
    if value.kind == Kind.BOOL:
        what = f"{gathering.name} takes a number, a text or a time; this is a bool"
        raise inner.fault(node, what, "rate(...) tells how often a condition holds")
    if gathering.first == "kept":
        _refuse_personal(inner, node, value, gathering.name)
    return value


def _read_here(scope: Scope, node: ast.expr, value: Node | None) -> None:
    """Is_new asks about this event's own value, so this event must have one of that type."""
    reading = replace(scope, names=replace(scope.names, event_only="an aggregate"))
    if reading.node(node) != value:
        raise scope.fault(node, f"`{ast.unparse(node)}` has different types in {scope.on[0]} and where it is gathered")


def _refuse_personal(inner: Scope, node: ast.expr, value: Node, name: str) -> None:
    """What a profile remembers is kept in clear, so what identifies a person may not enter one."""
    for each in walk(value):
        if not isinstance(each, Attr) or (each.kind == Kind.TEXT and value.kind != Kind.TEXT):
            continue
        for event_type in inner.on:
            declared = inner.names.event_types[event_type].attribute(each.name)
            semantic = inner.names.semantics.get(each.semantic or "")
            revealing = semantic is None or (each.part or "value") in semantic.revealing
            if declared is not None and declared.personal and revealing:
                hint = "use is_new or distinct, which keep a hash, or a part that points at nobody"
                raise inner.fault(node, f"`{each.path}` is personal, and {name} would keep it in clear", hint)


def _canonical(
    node: ast.Call, gathering: Gathering, on: tuple[str, ...], over: Window, keywords: Mapping[str, ast.expr]
) -> str:
    """The one spelling by which two mentions of an aggregate are known to be the same feature."""
    types = ", ".join(f'"{each}"' for each in on)
    types = types if len(on) == 1 else f"({types})"
    parts = [types] if gathering.first == "event" else [ast.unparse(node.args[0]), f"on={types}"]
    keys = _elements(keywords["by"])
    by = ", ".join(ast.unparse(each) for each in keys)
    parts.append(f"by={by}" if len(keys) == 1 else f"by=({by})")
    if over is not EVER:
        parts.append(f'over="{over.name}"')
    if "where" in keywords:
        parts.append(f"where={ast.unparse(keywords['where'])}")
    return f"{gathering.name}({', '.join(parts)})"


def _elements(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]


def _type_of(attr: Attr) -> str:
    return with_article(attr.semantic or attr.kind)
