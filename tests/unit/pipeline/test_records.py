"""What stands in the log: records there and back, under their own pack and under another."""

import msgspec
import numpy as np
import pytest

from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder
from fairgate.pipeline.history import pieces
from fairgate.pipeline.records import (
    FORMAT,
    EventRecord,
    ListRecord,
    PackRecord,
    Record,
    Recorder,
    RecordReader,
    SwitchRecord,
    decode,
    encode,
)
from fairgate.pipeline.seals import NOBODY
from tests.support import HEAD, LISTS, NOW, PACK, RULES, body, checked, new_engine, read, request, traffic

CHECKED = checked()
DECODER = Decoder(CHECKED, 7 * DAY)
PACK_RECORD = Recorder(new_engine(), DECODER.wires).pack_record(NOW)
FULL = {
    "email": "A.B+c@GMail.com", "device": "d", "plan": "\u2066free\0", "tokens": 2, "seats": 5, "trusted": False,
    "born": "1980-02-29T23:00:00.000001-05:00",
}  # fmt: skip


def records(*bodies: bytes) -> list[EventRecord]:
    engine = new_engine()
    recorder = Recorder(engine, DECODER.wires)
    found = []
    for judged in engine.run([read(DECODER, raw) for raw in bodies]):
        subject, plain = recorder.personal(judged.event) or (0, b"")
        found.append(recorder.record(judged, subject % 1000 if plain else NOBODY, plain))
    return found


def in_clear(_number: int, sealed: bytes) -> bytes:
    """These records are not sealed: `test_seals` shows sealing."""
    return sealed


def reader(text: str = PACK, written: PackRecord = PACK_RECORD) -> RecordReader:
    """Reads records written under one pack as events of another."""
    found = RecordReader(Decoder(checked(text), DAY).wires, in_clear)
    found.under(written)
    return found


def test_every_record_comes_back_as_it_was() -> None:
    found: list[Record] = [
        *records(*(raw for raw, _ in traffic(30))),
        PACK_RECORD,
        ListRecord(NOW, "banned", "crook", NOW + 5, "me", "because"),
        SwitchRecord(NOW, "*", off=True, by="me", why="because"),
    ]
    for number, record in enumerate(found):
        again = decode(number, encode(record))
        assert encode(again) == encode(record)
        assert again == record


def test_an_event_comes_back_as_it_was() -> None:
    same = RecordReader(DECODER.wires, in_clear)
    same.under(PACK_RECORD)
    for raw in (body(), body(FULL), request(1), request(2, ip="2001:db8::1", cost=0.1)):
        [record] = records(raw)
        again = same.event(record)
        assert again == read(DECODER, raw)
        assert isinstance(again, Event)
        assert DECODER.wires[again.type].public(again.data) == record.public


def test_what_is_personal_stands_apart() -> None:
    [record] = records(body(FULL))
    assert b"GMail" in record.sealed
    assert b"GMail" not in encode(msgspec.structs.replace(record, sealed=b""))
    assert b"a.b" not in encode(msgspec.structs.replace(record, sealed=b"")).lower()


def test_features_are_recorded_as_numbers_and_texts() -> None:
    first, second = records(request(1, model="big", ip="203.0.113.1"), request(2, model="small"))
    names = [name.split("(")[0] for name, _ in new_engine().recorded("api.request")]
    last = names.index("last")
    assert first.texts == {last: None}
    assert second.texts == {last: "big"}
    numbers = np.frombuffer(second.features)
    assert numbers.size == len(names)
    assert numbers[names.index("distinct")] == 1.0


# ---------------------------------------------------------------------------------------------------------- other packs


def test_a_type_that_a_pack_does_not_have_is_no_event_of_it() -> None:
    only_signups = "[event".join(HEAD.split("[event")[:2]) + '[[segment]]\nname = "default"\n'
    signup, asked = records(body(), request(1))
    assert reader(only_signups).event(asked) is None
    assert reader(only_signups).event(signup) is not None


def test_attributes_are_found_by_name_whatever_was_added_dropped_or_made_personal() -> None:
    other = HEAD + LISTS + '[[segment]]\nname = "default"\n'
    for old, new in (
        ('plan = "text"\n', ""),
        ('tokens = "number"', 'referrer = "text"\ntokens = { type = "number", personal = true }'),
        (", personal = true }\nip", " }\nip"),
    ):
        other = other.replace(old, new)
    [record] = records(body(FULL))
    event = reader(other).event(record)
    assert isinstance(event, Event)
    assert (event.data.email, event.data.tokens, event.data.seats) == ("A.B+c@GMail.com", 2.0, 5)
    assert event.data.referrer is None
    assert not hasattr(event.data, "plan")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('plan = "text"', 'plan = "number"'),
        ('plan = "text"', "plan = { required = true }"),
        ('plan = "text"', 'plan = "ip"'),
        ('born = "time"', 'born = "bool"'),
    ],
    ids=["another type", "required now", "parsed now", "no time any more"],
)
def test_an_event_that_the_pack_would_refuse_today_is_none_of_its(old: str, new: str) -> None:
    other = HEAD.replace(old, new) + LISTS + '[[segment]]\nname = "default"\n'
    plan = {"plan": None} if "required" in new else {"plan": "not an address"}
    [record] = records(body({**FULL, **plan}))
    assert reader().event(record) is not None
    assert reader(other).event(record) is None


# --------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\xa7unknown\x01\x02", encode(("event", 1)), encode([1, 2])])
def test_what_is_no_record_is_told_by_its_number(data: bytes) -> None:
    with pytest.raises(RecordUnreadable, match=r"Record 17: .*Upgrade Fairgate"):
        decode(17, data)


def test_a_newer_format_is_told_where_it_begins() -> None:
    newer = msgspec.structs.replace(PACK_RECORD, format=FORMAT + 1)
    with pytest.raises(RecordUnreadable, match=rf"Record 3: records from here on have format {FORMAT + 1}"):
        list(pieces([(2, encode(PACK_RECORD)), (3, encode(newer))]))


def test_pieces_keep_the_order_and_the_numbers() -> None:
    event = encode(records(body())[0])
    change = encode(SwitchRecord(NOW, "burst", off=True, by="", why=""))
    read_back = list(pieces(enumerate([encode(PACK_RECORD), event, event, change, change, event])))
    assert [(number, len(piece) if isinstance(piece, list) else type(piece)) for number, piece in read_back] == [
        (0, PackRecord), (1, 2), (3, SwitchRecord), (4, SwitchRecord), (5, 1)
    ]  # fmt: skip
    many = list(pieces((number, event) for number in range(10_000)))
    assert [(number, len(piece) if isinstance(piece, list) else 0) for number, piece in many] == [
        (0, 4_096), (4_096, 4_096), (8_192, 1_808)
    ]  # fmt: skip


def test_a_pack_record_holds_all_of_the_pack() -> None:
    assert checked(PACK_RECORD.files["pack.toml"]).pack.digest == PACK_RECORD.digest
    assert PACK_RECORD.personal == {"account.signup": ("email", "ip"), "api.request": ("ip",)}
    assert PACK_RECORD.digest == CHECKED.pack.digest
    assert RULES in PACK_RECORD.files["pack.toml"]
