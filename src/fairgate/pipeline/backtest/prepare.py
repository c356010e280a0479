"""Find out how two packs can be compared: over what was recorded, or by a replay where a rule needs what was not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from fairgate.domain.errors import NothingToCompare, NotRecorded
from fairgate.ingest.decode import Taken
from fairgate.ingest.sources import read_events
from fairgate.language.checked import CheckedPack, CheckedRule
from fairgate.pipeline.backtest.decisions import Decider
from fairgate.pipeline.backtest.history import History, same_meaning
from fairgate.pipeline.recording import Recorded, Recording, open_recording
from fairgate.pipeline.replay import Replay

#: Told what is being done, before it takes long.
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Both packs on the same events.

    `replays` says of each pack that had to be replayed why, `unmatched` how many events of the new pack's replay are
    not in the old one's recording.
    """

    old: History
    new: History
    replays: tuple[str, ...]
    unmatched: int


@contextmanager
def files(inputs: Sequence[Path], replay: Replay) -> Iterator[Iterable[Sequence[Taken]]]:
    """The events of input files, as a replay takes them."""
    yield read_events(inputs, replay.engine.checked, replay.decoder)


@dataclass(frozen=True, slots=True)
class Material:
    """What there is of the past: a recording, the folder of one or at hand already, inputs, or both.

    `read` opens the inputs for a replay, which is keyed with `secret` and recorded below `scratch`, an empty folder.
    With `since` only what was received from then on is compared; a replay still counts all that came before.
    `unrecorded` is a sentence that says why there is no recording.
    """

    recording: Path | Recorded | None
    inputs: Sequence[Path]
    scratch: Path
    secret: int
    read: Callable[[Sequence[Path], Replay], AbstractContextManager[Iterable[Sequence[Taken]]]] = files
    since: datetime | None = None
    unrecorded: str = "There is no recording."


def prepare(old: CheckedPack, new: CheckedPack, material: Material, told: Told) -> Prepared:
    """Both packs' histories.

    Raises `NothingToCompare` without recording and inputs, `NotRecorded` where a rule needs a column that was not
    recorded and there are no inputs to replay.
    """
    recorded = _recorded(material)
    if recorded is None and not material.inputs:
        raise NothingToCompare
    replays: list[str] = []
    why = _shortfall(_history(old, recorded, (old, new)), material) if recorded is not None else material.unrecorded
    if recorded is None or why:
        recorded = _replayed(old, material, "old", told)
        replays.append(f"The old pack, {old.pack.name} {old.pack.version}, was replayed. {why}")
    before = _history(old, recorded, (old, new))
    _refuse_lacking(before)
    after, unmatched = _history(new, recorded, (old, new)), 0
    if why := _shortfall(after, material):
        again = _replayed(new, material, "new", told)
        numbers, unmatched = _matched(before, again)
        after = History(new, again, new, numbers)
        replays.append(f"The new pack, {new.pack.name} {new.pack.version}, was replayed. {why}")
    _refuse_lacking(after)
    return Prepared(before, after, tuple(replays), unmatched)


def changed_rules(history: History, event_type: str) -> list[CheckedRule]:
    """The rules on an event type whose hits were not recorded as such, so that their conditions have to be computed."""
    rules = history.checked.rules_on(event_type)
    if history.own:
        return []
    maker = history.maker
    recorded = {each.rule.name for each in maker.rules_on(event_type)} if maker else set()
    return [
        each
        for each in rules
        if maker is None or each.rule.name not in recorded or not same_meaning(maker, history.checked, each.rule.name)
    ]


def lacking(history: History) -> dict[str, tuple[str, ...]]:
    """The columns that the recording lacks for the pack, by rule; what decisions need beside rules under "segments"."""
    found: dict[str, dict[str, None]] = {}
    decider = Decider(history)
    for name in history.types:
        for each in changed_rules(history, name):
            found.setdefault(each.rule.name, {}).update(dict.fromkeys(history.lacking(name, [each.when])))
        found.setdefault("segments", {}).update(dict.fromkeys(history.lacking(name, decider.needs(name))))
    return {rule: tuple(columns) for rule, columns in found.items() if columns}


def _history(checked: CheckedPack, recorded: Recorded, packs: Sequence[CheckedPack]) -> History:
    digest = recorded.about.digest
    return History(checked, recorded, next((each for each in packs if each.pack.digest == digest), None))


def _shortfall(history: History, material: Material) -> str:
    """Why a replay would tell more, in a sentence; empty where it would not, and where there is nothing to replay."""
    if not material.inputs:
        return ""
    if missing := lacking(history):
        needs = "; ".join(f"{rule} needs {', '.join(columns)}" for rule, columns in missing.items())
        return f"It reads what was not recorded: {needs}."
    unknown = [name for name in history.checked.pack.event_types if name not in history.types]
    return f"The recording has no events of type {', '.join(unknown)}." if unknown else ""


def _refuse_lacking(history: History) -> None:
    missing = lacking(history)
    if missing:
        raise NotRecorded(history.checked.pack.name, missing)


def _recorded(material: Material) -> Recorded | None:
    given = material.recording
    recorded = open_recording(given) if isinstance(given, Path) else given
    return None if recorded is None else _since(recorded, material.since)


def _since(recorded: Recorded, since: datetime | None) -> Recorded:
    """What was received from a time on."""
    if since is None:
        return recorded
    frames = {name: frame.filter(pl.col("_received") >= since) for name, frame in recorded.frames.items()}
    counts = pl.collect_all([frame.select(pl.len()) for frame in frames.values()])
    events = {name: int(count.item()) for name, count in zip(frames, counts, strict=True)}
    return Recorded(msgspec.structs.replace(recorded.about, events=events), frames)


def _replayed(checked: CheckedPack, material: Material, which: str, told: Told) -> Recorded:
    told(f"Replaying the inputs with the {which} pack, {checked.pack.name} {checked.pack.version}")
    replay, folder = Replay(checked, material.secret), material.scratch / which
    recording = Recording(folder, replay.engine)
    with material.read(material.inputs, replay) as batches:
        replay.run(batches, recording=recording)
    recording.finish(material.inputs)
    return _since(open_recording(folder), material.since)


def _matched(before: History, again: Recorded) -> tuple[pl.DataFrame, int]:
    """The numbers that a replay's events have in the earlier recording, and how many events have none there."""
    keys = ["_source", "_id"]
    numbers, count = [], 0
    for name, frame in again.frames.items():
        count += again.about.events[name]
        if name in before.recorded.frames:
            theirs = before.events(name).select("event", *keys)
            matched = frame.select("_sequence", *keys).join(theirs, on=keys)
            numbers.append(matched.select("_sequence", "event").collect())
    found = pl.concat([pl.DataFrame(schema={"_sequence": pl.Int64(), "event": pl.Int64()}), *numbers])
    return found, count - found.height
