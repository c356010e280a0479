"""`fairgate init`: a folder with all that a service needs, and what to do next."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import NODEFAULT, inspect

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.access import Scope
from fairgate.domain.errors import BadRequest
from fairgate.domain.pack import Attribute, Pack
from fairgate.entrypoints import keys_command
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings, read_settings
from fairgate.wiring import load_checked, open_keys

CONFIG, PACK, DATA = "fairgate.toml", "pack", "data"
#: What the first key may do: what a service that asks for decisions needs.
_SCOPES = (Scope.DECIDE, Scope.INGEST)
_HEAD = """\
# Fairgate's settings. A line that begins with `#` shows a key with its default; take the `#` away to change it.
# Paths are relative to this file's folder. docs/reference/settings.md says the same in tables.

"""
#: A value of each type of attribute, for an event to try the door with.
_SAMPLES: Mapping[str, object] = {
    "text": "example",
    "number": 1,
    "integer": 1,
    "bool": True,
    "time": "2026-01-05T10:00:00Z",
    "email": "someone@example.com",
    "ip": "192.0.2.1",
    "phone": "+12025550123",
    "user_agent": "curl/8.5.0",
    "timezone": "Europe/Amsterdam",
}


def run(folder: Path, pack_name: str, echo: Callable[[str], object]) -> int:
    """Make settings, a copy of the pack, a secret and a first API key in a folder; 0.

    Raises `PackError` for a pack that has faults, and `BadRequest`, having made nothing, where something is in the way.
    """
    pack = load_checked(pack_name).pack
    in_the_way = [str(folder / name) for name in (CONFIG, PACK, DATA) if (folder / name).exists()]
    if in_the_way:
        raise BadRequest(f"{' and '.join(in_the_way)} would be overwritten: move it away, or name another folder.")
    try:
        for name, text in pack.files.items():
            file = folder / PACK / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        (folder / DATA).mkdir(mode=0o700)
        (folder / CONFIG).write_text(settings_file(), "utf-8")
    except OSError as error:
        raise BadRequest(f"{folder} can't be written: {error.strerror}. Check the path and its permissions.") from error
    settings = read_settings(folder / CONFIG)
    secrets_of(settings.data)
    with open_keys(settings) as keys:
        made = keys_command.create(keys, SystemClock().now(), "first", _SCOPES)
    for line in _words(folder, pack, settings, made.text):
        echo(line)
    return 0


def settings_file() -> str:
    """`fairgate.toml` with every key: those of the folder itself set, all others as comments with their defaults."""
    set_here = {"pack": PACK, "data": DATA}
    shape = inspect.type_info(Settings)
    assert isinstance(shape, inspect.StructType)  # noqa: S101 - tells the types: Settings is a struct
    top: list[str] = []
    tables: list[str] = []
    for field in shape.fields:
        kind = _bare(field.type)
        if isinstance(kind, inspect.StructType):
            tables += _tables(f"[{field.name}]", field, kind)
        elif isinstance(kind, inspect.DictType):
            inner = kind.value_type
            assert isinstance(inner, inspect.StructType)  # noqa: S101 - settings has no other tables by name
            keys = "\n".join(map(_comment, inner.fields))
            tables.append(f"# {_about(field)}\n#[{field.name}.default]\n{keys}")
        else:
            top.append(f"# {_about(field)}\n{field.name} = {_toml(set_here[field.name])}")
    return _HEAD + "\n".join(top) + "\n\n" + "\n\n".join(tables) + "\n"


def _tables(head: str, field: inspect.Field, kind: inspect.StructType) -> Iterator[str]:
    """A table under its head, and those in it. A table of which there may be several is a comment, with all in it."""
    path = head.strip("#[]")
    inner = {each.name: _inner(each) for each in kind.fields}
    keys = [_comment(each) for each in kind.fields if inner[each.name] is None]
    yield "\n".join((f"# {_about(field)}", head, *keys))
    for each in kind.fields:
        within = inner[each.name]
        if within is not None:
            several = isinstance(_bare(each.type), inspect.ListType)
            name = f"[[{path}.{each.name}]]" if several else f"[{path}.{each.name}]"
            yield from _tables(f"#{name}" if several or head.startswith("#") else name, each, within)


def _inner(field: inspect.Field) -> inspect.StructType | None:
    """The kind of table that a key is, or has several of; None for a plain value."""
    kind = _bare(field.type)
    if isinstance(kind, inspect.ListType):
        kind = kind.item_type
    return kind if isinstance(kind, inspect.StructType) else None


def sample_event(pack: Pack) -> str:
    """An event of the pack's first type, with all that is required, as JSON in one line."""
    event_type = next(iter(pack.event_types.values()))
    data = {each.name: sample_of(each) for each in event_type.attributes if each.required}
    event = {"specversion": "1.0", "id": "1", "source": "try", "type": event_type.name, "data": data}
    return json.dumps(event)


def sample_of(attribute: Attribute) -> object:
    """A value that an attribute takes."""
    return _SAMPLES[attribute.type]


def _words(folder: Path, pack: Pack, settings: Settings, key: str) -> tuple[str, ...]:
    config = shlex.quote(str(folder / CONFIG))
    url = f"http://{settings.door.host}:{settings.door.port}/v1/decide"
    curl = f"curl -s {url} -H 'Authorization: Bearer {key}' -d {shlex.quote(sample_event(pack))}"
    return (
        f"{folder} is ready: {CONFIG}, the pack {pack.name} {pack.version}, a secret, and an API key, shown this once.",
        f"Is all well?      fairgate doctor --config {config}",
        f"Open the door:    fairgate serve --config {config}",
        f"Ask it:           {curl}",
        f"Check your rules: fairgate check {shlex.quote(str(folder / PACK))}",
    )


def _comment(field: inspect.Field) -> str:
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    if default is None:
        return f"# {field.name} is not set. {_about(field)}"
    return f"#{field.name} = {_toml(default)}  # {_about(field)}"


def _toml(value: object) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _about(field: inspect.Field) -> str:
    described = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
    return str((described or {})["description"])
