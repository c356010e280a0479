"""A log of format 1 says the same in the new format, less what nobody should read in it."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.action import Action
from fairgate.domain.errors import UpgradeImpossible
from fairgate.domain.secret import Secrets, Tokens
from fairgate.kernel.rows import Rows
from fairgate.pipeline.records import (
    FORMAT,
    EventRecord,
    ListRecord,
    PackRecord,
    Record,
    RecordReader,
    SwitchRecord,
    decode,
    encode,
)
from fairgate.pipeline.seals import NOBODY, Seals
from fairgate.pipeline.upgrade import Upgrade, format_of
from fairgate.wiring import checked_from
from tests.support import SECRET, SECRETS
from tests.unit.pipeline.format_1 import EVENTS, RECORDS

OLD: list[list[Any]] = [msgspec.msgpack.decode(raw) for raw in RECORDS]


class Upgraded:
    """The records after an upgrade, and what they are read with."""

    def __init__(self, folder: Path, old: list[bytes] = RECORDS, secrets: Secrets = SECRETS) -> None:
        self.keys = FileSubjectKeys(folder / "subjects.keys")
        self.seals = Seals(self.keys, secrets)
        self.upgrade = Upgrade(checked_from, secrets, self.seals, Rows)
        self.raw = list(self.upgrade.upgraded(enumerate(old)))
        self.records: list[Record] = [decode(at, raw) for at, raw in enumerate(self.raw)]

    def compare(self, new: list[bytes]) -> int:
        return self.upgrade.compare(enumerate(RECORDS), enumerate(new))

    def close(self) -> None:
        self.keys.close()


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 - a generator's
    with closing(Upgraded(tmp_path_factory.mktemp("upgraded"))) as made:
        yield made


def test_the_sample_is_of_format_1_and_has_everything_in_it() -> None:
    assert format_of(RECORDS[0]) == 1
    kinds = [record[0] for record in OLD]
    assert {kind: kinds.count(kind) for kind in kinds} == {"pack": 2, "event": EVENTS, "list": 3, "switch": 1}


def test_every_record_keeps_its_place_its_decision_and_its_features(upgraded: Upgraded) -> None:
    assert len(upgraded.records) == len(OLD)
    for old, new in zip(OLD, upgraded.records, strict=True):
        assert new.received == old[1]
        if isinstance(new, EventRecord):
            assert [new.source, new.id, new.type, new.time] == old[2:6]
            assert list(new.public) == old[6]
            assert encode(new.decision) == encode(old[8])
            assert (new.features, {str(at): text for at, text in new.texts.items()}) == (
                old[9],
                {str(at): text for at, text in old[10].items()},
            )
        elif isinstance(new, SwitchRecord):
            assert [new.rule, new.off, new.by, new.why] == old[2:]


def test_what_is_personal_is_sealed_and_opens_to_what_it_was(upgraded: Upgraded) -> None:
    text = re.sub(rb"[0-9.]+/24", b"", b"".join(upgraded.raw))  # a network tells nobody's address
    personal = 0
    for old, new in zip(OLD, upgraded.records, strict=True):
        if isinstance(new, EventRecord):
            values = msgspec.msgpack.decode(old[7])
            opened = upgraded.seals.open(new.key, new.sealed) if new.key != NOBODY else None
            assert (msgspec.msgpack.decode(opened) if opened else [None] * len(values)) == values
            assert [value for value in values if value and value.encode() in text] == []
            personal += any(values)
    assert personal == EVENTS


def test_a_subject_has_one_key_through_the_whole_log(upgraded: Upgraded) -> None:
    keys: dict[str, set[int]] = {}
    for old, new in zip(OLD, upgraded.records, strict=True):
        if isinstance(new, EventRecord):
            keys.setdefault(old[6][0], set()).add(new.key)
    assert {len(numbers) for numbers in keys.values()} == {1}
    numbers = [number for found in keys.values() for number in found]
    assert sorted(numbers) == sorted(set(numbers))


def test_personal_values_in_lists_become_tokens(upgraded: Upgraded) -> None:
    entries = [record for record in upgraded.records if isinstance(record, ListRecord)]
    mail, friend, off = entries
    assert mail.value == Tokens(SECRET).text("u12@example.com")
    assert upgraded.seals.open(mail.key, mail.sealed) == b"u12@example.com"
    assert (friend.value, friend.key, off.value) == ("a5", NOBODY, "a5")
    assert [list(msgspec.structs.astuple(each)[3:6]) for each in entries] == [
        record[4:7] for record in OLD if record[0] == "list"
    ]


def test_packs_go_live_where_they_did_in_the_new_format(upgraded: Upgraded) -> None:
    packs = [(at, record) for at, record in enumerate(upgraded.records) if isinstance(record, PackRecord)]
    assert [at for at, _ in packs] == [at for at, record in enumerate(OLD) if record[0] == "pack"]
    assert {pack.format for _, pack in packs} == {FORMAT}
    assert [pack.files for _, pack in packs] == [record[4] for record in OLD if record[0] == "pack"]


def test_both_logs_are_compared_record_by_record(upgraded: Upgraded) -> None:
    assert upgraded.compare(upgraded.raw) == len(OLD)
    with pytest.raises(ValueError, match="shorter"):
        upgraded.compare(upgraded.raw[:-1])


FIRST_EVENT = 1
ENTRY, SWITCH = 13, 15


@pytest.mark.parametrize(
    ("at", "changes"),
    [
        (0, {"digest": "another"}),
        (0, {"received": 1}),
        (FIRST_EVENT, {"source": "another"}),
        (FIRST_EVENT, {"time": 1}),
        (FIRST_EVENT, {"received": 1}),
        (FIRST_EVENT, {"features": bytes(16)}),
        (FIRST_EVENT, {"texts": {0: "another"}}),
        (FIRST_EVENT, {"key": NOBODY, "sealed": b""}),
        (ENTRY, {"until": 1}),
        (ENTRY, {"key": NOBODY, "sealed": b""}),
        (ENTRY, {"by": "another"}),
        (SWITCH, {"off": False}),
        (SWITCH, {"why": "another"}),
    ],
)
def test_a_record_that_says_something_else_is_noticed(upgraded: Upgraded, at: int, changes: dict[str, Any]) -> None:
    new = list(upgraded.raw)
    new[at] = encode(msgspec.structs.replace(upgraded.records[at], **changes))
    with pytest.raises(UpgradeImpossible, match=rf"Record {at}: "):
        upgraded.compare(new)


def test_another_decision_and_another_record_are_noticed(upgraded: Upgraded) -> None:
    event = upgraded.records[FIRST_EVENT]
    assert isinstance(event, EventRecord)
    new = list(upgraded.raw)
    decision = msgspec.structs.replace(event.decision, action=Action.BAN)
    new[FIRST_EVENT] = encode(msgspec.structs.replace(event, decision=decision))
    with pytest.raises(UpgradeImpossible, match="Record 1: it comes out otherwise"):
        upgraded.compare(new)
    new[FIRST_EVENT] = upgraded.raw[SWITCH]
    with pytest.raises(UpgradeImpossible, match="Record 1: it comes out otherwise"):
        upgraded.compare(new)
    new[FIRST_EVENT] = upgraded.raw[FIRST_EVENT + 3]
    with pytest.raises(UpgradeImpossible, match="Record 1: it comes out otherwise"):
        upgraded.compare(new)


def test_the_newest_version_of_the_secret_is_used(tmp_path: Path) -> None:
    with closing(Upgraded(tmp_path, secrets=Secrets({1: SECRET, 2: 77}))) as made:
        events = [record for record in made.records if isinstance(record, EventRecord)]
        assert {record.sealed[0] for record in events if record.key != NOBODY} == {2}
        assert {record.secret for record in made.records if isinstance(record, PackRecord)} == {2}
        assert made.compare(made.raw) == len(OLD)


def test_the_new_records_are_read_as_any(upgraded: Upgraded) -> None:
    pack = upgraded.records[0]
    assert isinstance(pack, PackRecord)
    assert upgraded.upgrade._live is not None
    reader = RecordReader(upgraded.upgrade._live.wires, upgraded.seals.open)
    reader.under(pack)
    assert all(reader.event(record) for record in upgraded.records if isinstance(record, EventRecord))


# ----------------------------------------------------------------------------------------------------------- impossible


def record(at: int, place: int, value: object) -> bytes:
    """An old record with something else in it."""
    return msgspec.msgpack.encode([*OLD[at][:place], value, *OLD[at][place + 1 :]])


@pytest.mark.parametrize(
    ("at", "raw", "words"),
    [
        (0, RECORDS[FIRST_EVENT], "no pack stands before it"),
        (0, record(0, 4, {"pack.toml": "[pack]"}), "`name` is missing here"),
        (FIRST_EVENT, b"\xc1", "MessagePack"),
        (FIRST_EVENT, record(FIRST_EVENT, 4, "no.such.type"), "no.such.type"),
        (FIRST_EVENT, record(FIRST_EVENT, 6, ["a"]), "argument"),
        (FIRST_EVENT, record(FIRST_EVENT, 6, [7, *OLD[FIRST_EVENT][6][1:]]), "Expected `str`"),
        (ENTRY, record(ENTRY, 2, "no_such_list"), "There is no list `no_such_list`"),
        (len(OLD) - EVENTS // 2, record(0, 2, 2), "records from here on have format 2"),
    ],
)
def test_a_record_that_cannot_be_turned_is_named(tmp_path: Path, at: int, raw: bytes, words: str) -> None:
    with pytest.raises(UpgradeImpossible, match=f"Record {at}: ") as caught:
        Upgraded(tmp_path, [*RECORDS[:at], raw, *RECORDS[at + 1 :]])
    assert words in str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x90", RECORDS[FIRST_EVENT], encode(["pack", 1, "one"])])
def test_what_is_no_log_of_fairgate_has_no_format(raw: bytes) -> None:
    with pytest.raises(UpgradeImpossible, match="Record 0: "):
        format_of(raw)
