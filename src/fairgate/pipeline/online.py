"""The live path: decode -> repeats -> engine -> log. What is answered has been decided once, and is in the log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

import msgspec
import numpy as np

from fairgate.detect.ban_memory import ACCOUNT, remembering
from fairgate.detect.lists import Told
from fairgate.domain.action import Action
from fairgate.domain.errors import (
    BadEntity,
    NoSuchEntityKind,
    NoSuchRecord,
    NothingSealed,
    NotRemembered,
    PipelineStopped,
)
from fairgate.domain.event import Decision, Event, Refusal
from fairgate.domain.ledger import Entry, Subject, Undone
from fairgate.domain.memory import Memory, Remembered
from fairgate.domain.secret import is_token_text
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder, Taken
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.explain import Explainer
from fairgate.pipeline.lookup import Lookup
from fairgate.pipeline.noted import Noted
from fairgate.pipeline.records import (
    EraseRecord,
    EventRecord,
    LedgerRecord,
    ListRecord,
    MemoryRecord,
    Recorder,
    RestatedRecord,
    SwitchRecord,
    UndoRecord,
    decode,
    encode,
    list_subject,
)
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.seals import NOBODY, Seals
from fairgate.pipeline.state import Mark, Point, State
from fairgate.ports.clock import Clock
from fairgate.ports.event_log import EventLog
from fairgate.ports.snapshots import Snapshot, Snapshots


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What was decided on an event, and its number in the log. A repeat gets the decision of the first time.

    `action` is what to do about it now: the decision's, or what stands in the ledger about one of its entities, whose
    reasons are `codes` then.
    """

    type: str
    id: str
    sequence: int
    decision: Decision
    repeated: bool
    action: Action
    codes: tuple[str, ...] = ()


Outcome: TypeAlias = Answer | Refusal


class Pipeline:
    """Decides on events and records them. One caller at a time; `commit` may run in another thread meanwhile.

    An answer may be given out only after the `commit` that follows its `take` has returned. `refused` counts refusals
    by code, `repeats` the events that had been decided on before.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the pieces that the composition root puts together
        self,
        engine: Engine,
        log: EventLog,
        snapshots: Snapshots,
        clock: Clock,
        secret: int,
        seals: Seals,
        repeats: Repeats,
        *,
        remembers: bool = True,
    ) -> None:
        self.engine = engine
        self.decoder = Decoder(engine.checked, engine.plan.longest)
        self.clock = clock
        self.refused: dict[str, int] = {}
        self.repeats = 0
        self.log = log
        self._snapshots = snapshots
        self._state = State(engine, self.decoder, log, secret, seals, repeats, remembers=remembers)
        self._seals = seals
        self.remembered = repeats
        self.lookup = Lookup(log, repeats)
        self.explainer = Explainer(engine.checked, self.lookup, seals.open)
        self._recorder = Recorder(engine, self.decoder.wires)
        self._stopped: BaseException | None = None

    @property
    def stopped(self) -> bool:
        """Whether an error has ended this pipeline's work: a new one must recover from the log."""
        return self._stopped is not None

    @property
    def anew(self) -> tuple[str, ...]:
        """The aggregates that look back for ever, but here to the log's beginning only."""
        return self._state.anew

    @property
    def end(self) -> int:
        """The number that the log's next record gets. Raises `LogBroken` once the log is."""
        return self.log.end()

    def take(self, taken: Sequence[Taken]) -> list[Outcome]:
        """Decide on what was decoded; an outcome for each, in order. Not durable before `commit`.

        Raises `PipelineStopped` once anything has gone wrong here or in `commit`.
        """
        self._check_running()
        try:
            return self._take(taken)
        except BaseException as error:
            self._stopped = error  # rows may be ahead of the log: only a restart puts that right
            raise

    def commit(self) -> None:
        """Make all that was taken durable. Raises `LogBroken` where that failed; nothing is acknowledged then."""
        try:
            self.log.commit()
        except BaseException as error:
            self._stopped = self._stopped or error
            raise

    def judged(self, event: Event, sequence: int) -> Judged:
        """What was decided on an event of the live pack, with the features recorded then, as the log has it."""
        record = decode(sequence, self.log.get(sequence))
        if not isinstance(record, EventRecord) or sequence < self._state.pack_at:
            raise NoSuchRecord(sequence, self.log.end(), self.log.begin())
        return Judged(event, record.decision, np.frombuffer(record.features).tolist(), record.features)

    def put_in_list(self, name: str, value: str, until: int, by: str, why: str) -> None:
        """Enter a value in a list until a time; one that has passed takes it off. Raises `NoSuchList` or `BadEntry`."""
        self._check_running()
        lists, now = self.engine.lists, self.clock.now()
        canonical = lists.canonical(name, value)
        if lists.is_personal(name) and not is_token_text(canonical):
            token = self.engine.tokens.text(canonical)
            key, sealed = self._seals.seal(self.engine.tokens.key[list_subject(name, token)], canonical.encode())
            record = ListRecord(now, name, token, until, by, why, key, sealed)
        else:
            record = ListRecord(now, name, canonical, until, by, why)
        self._append_said(record)
        self.engine.put_in_list(name, canonical, until, Told(by, why), now)

    def switch(self, rule: str, by: str, why: str, *, off: bool) -> None:
        """Switch a rule, or all enforcement (`*`), off or on again."""
        self._check_running()
        self._append_said(SwitchRecord(self.clock.now(), rule, off, by, why))
        self.engine.brakes.switch(rule, off=off)

    def act(self, asked: Entry) -> tuple[Entry, bool]:
        """Put an entry of somebody's in the ledger; returns it with its number, and whether it was there already.

        Raises `RefTaken`.
        """
        self._check_running()
        ledger = self.engine.ledger
        entry, known = ledger.made(asked)
        if not known:
            self.log.append(encode(LedgerRecord(self.clock.now(), (entry,), entry.number + 1)))
            ledger.take(entry)
        return entry, known

    def undo(self, numbers: Sequence[int], by: str, why: str) -> None:
        """Undo entries of the ledger; those that were undone before stay as they are. Raises `NoSuchEntry`."""
        self._check_running()
        ledger, now = self.engine.ledger, self.clock.now()
        open_ = tuple(number for number in numbers if ledger.get(number).undone is None)
        if open_:
            self.log.append(encode(UndoRecord(now, open_, by, why)))
            ledger.undo(open_, Undone(now, by, why))

    def note(self, record: Noted) -> None:
        """Note something for the audit log. Durable with the next commit."""
        self._check_running()
        self.log.append(encode(record))

    def remember(self, number: int, found: Mapping[str, Sequence[str]], by: str, why: str) -> Memory:
        """Remember an action by tokens of what its account used, by list, each as long as its list says.

        What was remembered of the action before is forgotten. Raises `NoSuchEntry`, and `NotRemembered` where it was
        undone, or one of the lists does not remember such actions.
        """
        self._check_running()
        entry, engine = self.engine.ledger.get(number), self.engine
        lengths = {
            each.name: each.remembers.length
            for each in remembering(engine.checked.pack.lists.values(), entry.action)
            if each.remembers is not None
        }
        if entry.undone is not None or entry.subject.kind != ACCOUNT or not found.keys() <= lengths.keys():
            raise NotRemembered(number)
        items = tuple(
            Remembered(name, token, entry.starts + lengths[name])
            for name, tokens in found.items()
            for token in dict.fromkeys(tokens)
        )
        memory = Memory(number, entry.subject, items, engine.memory.until(entry))
        self._remember([memory], by, why)
        return memory

    def erase(self, account: str, by: str, why: str, keep: int | None = None) -> list[Memory]:
        """Make what is personal in an account's events unreadable for ever, here and in every copy without its key.

        Durable when this returns. Features go on: what was counted stays counted. What the account's bans are
        remembered by goes, too, unless it may be kept for so long from now (microseconds); returns what is left of it.
        Raises `NothingSealed`, and `KeysUnusable` where the key can't be overwritten: the next start does it then.
        """
        self._check_running()
        numbers, now = self._seals.numbers_of(account), self.clock.now()
        subject = self._subject(account)
        memories = self._left_of(subject, now, keep)
        if not numbers and not memories and (subject is None or not self.engine.ledger.of(subject)):
            raise NothingSealed
        for number in numbers or [NOBODY]:
            self.log.append(encode(EraseRecord(now, number, by, why, subject)))
        self._remember(memories, by, why)
        self.commit()
        for number in numbers:
            self._state.forget(number)
        return [each for each in memories if each.items]

    def actions_on(self, account: str) -> int:
        """How many actions on an account the ledger has, which an erasure leaves: those that stand or ended of late."""
        subject = self._subject(account)
        return 0 if subject is None else len(self.engine.ledger.of(subject))

    def _subject(self, account: str) -> Subject | None:
        """An account as the ledger knows it; None where the pack has no accounts, or none that could be called so."""
        with suppress(NoSuchEntityKind, BadEntity):
            return self.engine.subject(ACCOUNT, account)
        return None

    def _left_of(self, subject: Subject | None, now: int, keep: int | None) -> list[Memory]:
        """What is left to remember of somebody's actions when they are erased: nothing, or for so long from now.

        Nobody looks up any more what was not looked up before.
        """
        if subject is None:
            return []
        memory = self.engine.memory
        waiting = [each for each in memory.waiting(now) if each.subject == subject]
        return [
            *(
                msgspec.structs.replace(each, items=tuple(_shortened(each.items, now, keep)))
                for each in memory.of(subject)
            ),
            *(Memory(each.number, subject, (), memory.until(each)) for each in waiting),
        ]

    def _remember(self, memories: Sequence[Memory], by: str, why: str) -> None:
        if memories:
            self.log.append(encode(MemoryRecord(self.clock.now(), tuple(memories), by, why)))
        for each in memories:
            self.engine.memory.take(each)

    def recover(self) -> int:
        """Bring the state up to the log's end, and let the pack go live; returns how many records were read."""
        count = self.catch_up()
        self.go_live()
        return count

    def catch_up(self, prepared: Snapshots | None = None, most: int | None = None) -> int:
        """Bring the state up to the end of what is durable; returns how many records were read.

        Begins at the newest snapshot, or at what was `prepared` instead, and where it left off when it is called again,
        which must be before `go_live`. Raises `NotPrepared` where there are more than `most` records to read.
        Decisions stand as they were made, by whatever pack; this one's features are counted from the whole log. Raises
        as `State.catch_up`.
        """
        return self._state.catch_up(prepared or self._snapshots, self._snapshots, most)

    def go_live(self) -> None:
        """Record that this pack is live from here on, where it was not; whoever else took events must have stopped."""
        written = self._recorder.pack_record(self.clock.now())
        if not written.same(self._state.live):
            self._state.went_live(self.log.append(encode(written)), written)
            self.log.commit()

    def restate(self) -> bool:
        """Say again all that stands, once a day, so that the log may begin here some day; returns whether it was due.

        Durable with the next commit.
        """
        self._check_running()
        now, points = self.clock.now(), self._state.points
        said = points[-1].received if points else decode(begin := self.log.begin(), self.log.get(begin)).received
        if now - said < DAY:
            return False
        start = self.log.append(encode(self._recorder.pack_record(now)))
        for record in self._state.restated(now):
            self.log.append(encode(record))
        self.log.append(encode(RestatedRecord(now, start, self.engine.clock)))
        points[:] = [*(point for point in points if point.start > self.log.begin()), Point(start, now)]
        return True

    def cut(self, received: int, most: int) -> int:
        """Drop the log's records that were received before a time, as far as all that stands was said again since.

        Records from `most` on stay. Returns where the log begins now. A snapshot must have been kept since the last
        call of `restate`, for it has what no record says again. May be called from any thread. Raises `LogUnavailable`,
        and the next call tries again.
        """
        fit = [point.start for point in tuple(self._state.points) if point.received < received and point.start <= most]
        begin = max([self.log.begin(), *fit])
        self.log.drop(begin)
        return begin

    def prepare(self, prepared: Snapshots) -> int:
        """Catch up and keep the state, for another process to go live with; returns the end of what it counted.

        The log may be one that was opened for reading only.
        """
        self.catch_up(prepared)
        captured = self.capture(self.mark())
        prepared.save(captured)
        return captured.sequence

    def mark(self) -> Mark:
        """Where the log ends now. Raises `PipelineStopped` once the state is unsure."""
        self._check_running()
        return self._state.mark()

    def capture(self, at: Mark) -> Snapshot:
        """The state at a mark that was made just now, not copied: to be given to `keep` before another event is taken.

        A forked process may do both in its own time: neither touches the log.
        """
        return self._state.capture(at)

    def keep(self, snapshot: Snapshot) -> None:
        """Write a captured state, which must not hold more than what is durable in the log."""
        self._snapshots.save(snapshot)

    def _take(self, taken: Sequence[Taken]) -> list[Outcome]:
        events = [each for each in taken if isinstance(each, Event)]
        met = self.remembered.met(events, self.log.end())
        fresh = [event for event, number in zip(events, met, strict=True) if number < 0]
        answers, numbers = iter(self._decide(fresh)), iter(met)
        outcomes: list[Outcome] = []
        for each in taken:
            if isinstance(each, Refusal):
                self.refused[each.code] = self.refused.get(each.code, 0) + 1
                outcomes.append(each)
                continue
            number = next(numbers)
            outcomes.append(next(answers) if number < 0 else self._repeat(each, number))
        return outcomes

    def _decide(self, events: Sequence[Event]) -> list[Answer]:
        """Decide and append; the log's numbers are those that `Repeats` has given out."""
        return [self._append(each) for each in self.engine.run(events)]

    def _append_said(self, record: ListRecord | SwitchRecord) -> None:
        self.log.append(encode(record))
        self._state.in_force.take(record)

    def _append(self, judged: Judged) -> Answer:
        event, personal = judged.event, self._recorder.personal(judged.event)
        key, sealed = self._seals.seal(*personal) if personal is not None else (NOBODY, b"")
        sequence = self.log.append(encode(self._recorder.record(judged, key, sealed)))
        return self._answer(event, sequence, judged.decision, repeated=False)

    def _answer(self, event: Event, sequence: int, decision: Decision, *, repeated: bool) -> Answer:
        action, codes = self.engine.outcome(event, decision)
        return Answer(event.type, event.id, sequence, decision, repeated, action, codes)

    def _repeat(self, event: Event, number: int) -> Answer:
        """The answer that was given before; or a fresh one, where only the hashes of two names are the same."""
        for at in (number, self.remembered.other(event)):
            record = decode(at, self.log.get(at)) if at is not None else None
            if isinstance(record, EventRecord) and (record.source, record.id) == (event.source, event.id):
                self.repeats += 1
                return self._answer(event, at or 0, record.decision, repeated=True)
        [answer] = self._decide([event])
        self.remembered.keep_other(event, answer.sequence)
        return answer

    def _check_running(self) -> None:
        if self._stopped is not None:
            raise PipelineStopped from self._stopped


def _shortened(items: Iterable[Remembered], now: int, keep: int | None) -> Iterator[Remembered]:
    """Identifiers that may be remembered for so long from now, and no longer than they would be."""
    for each in items if keep is not None else ():
        until = min(each.until, now + (keep or 0))
        if until > now:
            yield Remembered(each.list, each.token, until)
