"""A decision explained from its record, in the words of the pack that it was made under."""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from fairgate.decide.reasons import Given, reasons_of
from fairgate.detect.lists import Lists
from fairgate.detect.rules import Why, compile_detector
from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Erased, Event
from fairgate.domain.pack import Rule
from fairgate.domain.secret import token_text
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import wire_of
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.tree import Kind
from fairgate.pipeline.engine import FeatureValue, evidence, typed
from fairgate.pipeline.lookup import Lookup
from fairgate.pipeline.records import EventRecord, PackRecord, RecordReader
from fairgate.pipeline.seals import NOBODY, sealed_under

#: What was sealed under a number; None where its subject is erased.
Opened: TypeAlias = Callable[[int, bytes], bytes | None]
#: Packs whose words are kept ready.
_MOST_PACKS = 4


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A rule that fired, as its pack had it; `silent`: it changed nothing. `why` is its evidence, if it has words."""

    rule: Rule
    silent: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with all that it was made of.

    `personal` has a token in place of each personal text that could not be read; `readable` is whether they could.
    `features` are by their recorded names.
    """

    record: EventRecord
    pack: str
    public: Mapping[str, Any]
    personal: Mapping[str, Any]
    readable: bool
    reasons: tuple[Given, ...]
    rules: tuple[FiredRule, ...]
    features: Mapping[str, tuple[Kind, FeatureValue]]


class Explainer:
    """Explains decisions of whatever packs; any thread may call. The first of an older pack takes a second or so.

    `checked` is the live pack, `opened` gives what is sealed in a record (see `Seals`).
    """

    def __init__(self, checked: CheckedPack, lookup: Lookup, opened: Opened) -> None:
        self._checked = checked
        self._lookup = lookup
        self._opened = opened
        self._lock = threading.Lock()
        self._words: dict[str, _Words] = {}

    def explain(self, sequence: int, *, personal: bool) -> Explanation:
        """Explain the decision with this number; without `personal` tokens stand for what is personal.

        A list that a rule's words ask about is taken as the pack's files have it. Raises `NoSuchRecord`,
        `RecordUnreadable`, `PackError` for a pack that is none any more, and what reading the log and opening raise.
        """
        record, pack = self._lookup.record(sequence), self._lookup.pack_of(sequence)
        sealed = personal and record.key != NOBODY
        plain = self._opened(record.key, record.sealed) if sealed else None
        with self._lock:
            words = self._words.pop(pack.digest, None) or _Words(self._compiled(pack))
            self._words[pack.digest] = words  # the latest used are last
            while len(self._words) > _MOST_PACKS:
                del self._words[next(iter(self._words))]
            return words.explain(sequence, record, pack, plain)

    def _compiled(self, pack: PackRecord) -> CheckedPack:
        live = self._checked
        return live if live.pack.digest == pack.digest else check_pack(pack_from_texts(pack.files), TYPES)


class _Words:
    """The names and words of one pack."""

    def __init__(self, checked: CheckedPack) -> None:
        self._checked = checked
        self._rules = {each.name: each for each in checked.pack.rules}
        self._wires = {name: wire_of(event_type, TYPES) for name, event_type in checked.pack.event_types.items()}
        self._why = cache(self._compiled)
        self._texts: Mapping[int, str | None] = {}

    def explain(self, sequence: int, record: EventRecord, pack: PackRecord, plain: bytes | None) -> Explanation:
        """Explain a record whose personal part is `plain`. One at a time: texts are read by the record's numbers."""
        reader = RecordReader(self._wires, lambda _number, _sealed: plain)
        reader.under(pack)
        event = reader.event(record)
        if event is None:
            raise RecordUnreadable(sequence, "its event does not fit its own pack")
        numbers = self._features(record)
        why = {
            rule: evidence(words, event, numbers)
            for rule, words in self._why(record.type).items()
            if rule in record.decision.rules
        }
        read = self._checked.read[record.type]
        return Explanation(
            record=record,
            pack=self._checked.pack.label,
            public=dict(zip(pack.public[record.type], record.public, strict=True)),
            personal=_personal(event, record, pack),
            readable=plain is not None,
            reasons=reasons_of(self._checked.pack, record.type, record.decision),
            rules=tuple(
                FiredRule(self._rules[name], name in record.decision.silent, why.get(name, ""))
                for name in record.decision.rules
            ),
            features={
                name: (each.kind, typed(each.kind, number, self._text))
                for (name, each), number in zip(read.items(), numbers, strict=True)
            },
        )

    def _features(self, record: EventRecord) -> list[float]:
        """The numbers of a record's features; a text's is its position, by which `_text` finds it."""
        numbers: list[float] = np.frombuffer(record.features).tolist()
        self._texts = record.texts
        for at, text in record.texts.items():
            numbers[at] = math.nan if text is None else float(at)
        return numbers

    def _text(self, number: float) -> str | None:
        return None if math.isnan(number) else self._texts[int(number)]

    def _compiled(self, event_type: str) -> Mapping[str, Why]:
        out_of = {aggregate.text: at for at, aggregate in enumerate(self._checked.read[event_type].values())}
        bindings = Lists(self._checked).bindings()
        return compile_detector(self._checked, event_type, out_of, self._text, bindings).why


def _personal(event: Event, record: EventRecord, pack: PackRecord) -> dict[str, Any]:
    """The personal attributes that are there: as sent, else as tokens."""
    tokens = dict(zip(pack.tokens[record.type], record.tokens, strict=True))
    version = sealed_under(record.sealed) if record.key != NOBODY else pack.secret
    hidden = {name: token_text(version, token) for name, token in tokens.items() if token and "." not in name}
    sent = {name: getattr(event.data, name) for name in pack.personal[record.type]}
    return hidden | {name: value for name, value in sent.items() if value is not None and not isinstance(value, Erased)}
