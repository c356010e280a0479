"""`fairgate doctor`: what is wrong, and what to do about it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadSettings, FairgateError
from fairgate.entrypoints.doctor import audit, data, machine, memory, network, records
from fairgate.entrypoints.doctor.finding import Check, Finding, Installation, State, bad, ok, warn
from fairgate.settings import settings_of

_SETTINGS = Check("settings", "whether they can be used", lambda _: ok(""))
#: Everything that is looked at, in this order, once the settings can be used.
CHECKS = (
    Check("kernel", "Python, and whether compiled code is kept", machine.kernel),
    Check("pack", "whether it is sound, and fits the settings", machine.pack),
    Check("folder", "who may read and write the data folder", data.folder),
    Check("log", "whether it opens and is whole", data.log),
    Check("age", "whether what is too old is dropped from the log", data.age),
    Check("events", "when the last record was made", data.last_record),
    Check("clock", "the machine's clock against the log's", data.clock),
    Check("secret", "whether it is the one the log was written with", data.secret),
    Check("snapshot", "how much of the log a start reads", data.snapshot),
    Check("erased", "whether what was erased is unreadable", data.erased),
    Check("lake", "how far it is behind the log", data.lake),
    Check("records", "how far the clerk is behind the log", records.records),
    Check("webhooks", "whether they reach other services", records.webhooks),
    Check("appeals", "whether they are decided in time", records.appeals),
    Check("bulk", "whether bulk actions come to their end", records.bulk),
    Check("memory", "what is remembered of banned accounts, and until when", memory.ban_memory),
    Check("audit", "whether its last rows are as they were written", audit.audit),
    Check("leftovers", "what an upgrade has left", data.leftovers),
    Check("room", "free disk space against growth", machine.room),
    Check("disk", "how fast a write becomes durable", machine.sync),
    Check("door", "whether it answers", network.door),
    Check("desk", "whether it answers", network.desk),
    Check("tls", "certificate and key", network.tls),
    Check("keys", "API keys", network.api_keys),
)


class _Told(msgspec.Struct):
    """A finding as `--json` shows it."""

    name: str
    about: str
    state: str
    words: str
    remedy: str


def run(config: Path | None, given: Mapping[str, object], echo: Callable[[str], object], *, as_json: bool) -> int:
    """Look at everything and tell what was found; 1 where anything is bad."""
    found = examine(config, given, SystemClock().now())
    if as_json:
        told = [_Told(check.name, check.about, each.state, each.words, each.remedy) for check, each in found]
        echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        for line in _table(found):
            echo(line)
    return 1 if any(each.state == State.BAD for _, each in found) else 0


def examine(config: Path | None, given: Mapping[str, object], now: int) -> list[tuple[Check, Finding]]:
    """Each check with what it finds. Where the settings can't be used, nothing else is looked at."""
    try:
        settings = settings_of(config, given)
    except BadSettings as error:
        return [(_SETTINGS, bad(str(error), "Mend the file: nothing else can be looked at before."))]
    at, told = Installation(settings, now), dict[str, str]()
    words = f"{config} can be used" if config is not None else "no file was named: the defaults hold"
    return [(_SETTINGS, ok(words)), *((check, _look(check, at, told)) for check in CHECKS)]


def _look(check: Check, at: Installation, told: dict[str, str]) -> Finding:
    """What a check finds; an error that another has told of already is not told again."""
    try:
        return check.look(at)
    except FairgateError as error:
        words = str(error)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}"
    first = told.setdefault(words, check.name)
    return bad(words, "") if first == check.name else warn("can't be told", f"See `{first}`.")


def _table(found: Sequence[tuple[Check, Finding]]) -> Iterator[str]:
    width = max(len(check.name) for check, _ in found)
    for check, finding in found:
        first, *rest = finding.words.split("\n")
        yield f"{finding.state:<4}  {check.name:<{width}}  {first}"
        yield from (f"{'':{width + 8}}{line}" for line in rest)
        if finding.remedy:
            yield f"{'':{width + 8}}-> {finding.remedy}"
    count = Counter(finding.state for _, finding in found)
    yield f"{count[State.BAD]} bad, {count[State.WARN]} to be warned of, {count[State.OK]} ok"
