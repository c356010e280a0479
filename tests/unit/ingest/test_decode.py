"""What the door takes and what it refuses: each fault by its code, its field and a reason in words."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain.event import Event, Refusal
from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT, MOST_EVENTS, Decoder, Taken, refused
from fairgate.ingest.identifiers import email
from tests.support import HEAD, NOW, RULES, body, checked, request

WEEK = 7 * DAY
DECODER = Decoder(checked(), WEEK)


def iso(offset: int) -> str:
    """The time so many microseconds from now, as events write it."""
    seconds, micros = divmod(NOW + offset, SECOND)
    days, rest = divmod(seconds - 1_767_571_200, 86_400)  # from 2026-01-05
    assert 0 <= days + 4 < 31
    return f"2026-01-{days + 5:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{micros:06d}Z"


@dataclass(frozen=True, slots=True)
class Bad:
    """A body, and how it must be refused: the reason has these words in it."""

    body: bytes
    code: str
    field: str
    words: str


def valued(name: str, value: str) -> bytes:
    """A sign-up with an attribute given as JSON text."""
    return body({name: "@@"}).replace(b'"@@"', value.encode())


BAD = {
    "nothing": Bad(b"", "malformed", "", "there is nothing in it"),
    "no JSON": Bad(b"{", "malformed", "", "not JSON"),
    "two events": Bad(body() + body(), "malformed", "", "trailing"),
    "a byte order mark": Bad(b"\xef\xbb\xbf" + body(), "malformed", "", "byte 0"),
    "bad UTF-8": Bad(valued("plan", '"@"').replace(b"@", b"\xff"), "malformed", "", "not UTF-8"),
    "an encoded surrogate": Bad(valued("plan", '"#"').replace(b"#", b"\xed\xa0\x80"), "malformed", "", "not UTF-8"),
    "half a surrogate pair": Bad(valued("plan", '"\\ud83d"'), "malformed", "", "half a character"),
    "the other half": Bad(valued("plan", '"\\ude00 x"'), "malformed", "", "half a character"),
    "NaN": Bad(valued("tokens", "NaN"), "malformed", "", "not JSON"),
    "Infinity": Bad(valued("tokens", "-Infinity"), "malformed", "", "not JSON"),
    "nested data": Bad(b'{"data":' * 8_000, "malformed", "", "nested too deeply"),
    "nested in a member that isn't read": Bad(
        body().replace(b"{", b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b",", 1), "malformed", "", "nested too deeply"
    ),
    "an array": Bad(b"[" * 60_000, "mistyped", "", "expected `object`"),
    "null": Bad(b"null", "mistyped", "", "expected `object`"),
    "a number": Bad(b"5", "mistyped", "", "expected `object`"),
    "no version": Bad(body(specversion=None), "missing", "specversion", "specversion is required"),
    "another version": Bad(body(specversion="0.3"), "mistyped", "specversion", 'must be "1.0"'),
    "no type": Bad(body(type=None), "missing", "type", "type is required"),
    "an unknown type": Bad(body(type="account.deleted"), "unknown_type", "type", "no event type of the pack"),
    "a number for a type": Bad(body(type=7), "mistyped", "type", "expected `str`"),
    "no id": Bad(body(id=None), "missing", "id", "id is required"),
    "an empty id": Bad(body(id=""), "invalid", "id", "id is empty"),
    "a number for an id": Bad(body(id=5), "mistyped", "id", "got `int`"),
    "a long id": Bad(body(id="x" * 257), "invalid", "id", "longer than 256"),
    "NUL in the id": Bad(body(id="a\0b"), "invalid", "id", "control characters"),
    "a line break in the source": Bad(body(source="a\nb"), "invalid", "source", "control characters"),
    "no data": Bad(body().replace(b'"data"', b'"date"'), "missing", "data", "data is required"),
    "null for data": Bad(
        json.dumps({**json.loads(body()), "data": None}).encode(), "mistyped", "data", "expected `object`, got `null`"
    ),
    "a missing attribute": Bad(body({"account": None}), "missing", "data.account", "data.account is required"),
    "a number for a text": Bad(body({"account": 5}), "mistyped", "data.account", "expected `str`, got `int`"),
    "a text for a number": Bad(body({"tokens": "5"}), "mistyped", "data.tokens", "got `str`"),
    "a fraction for an integer": Bad(body({"seats": 5.0}), "mistyped", "data.seats", "got `float`"),
    "a number for a bool": Bad(body({"trusted": 1}), "mistyped", "data.trusted", "got `int`"),
    "a huge integer": Bad(body({"seats": 2**53 + 1}), "invalid", "data.seats", "within 2**53"),
    "an integer of 400 digits": Bad(valued("seats", "9" * 400), "invalid", "data.seats", "within 2**53"),
    "a huge number": Bad(body({"tokens": 1e300}), "invalid", "data.tokens", "within 2**53"),
    "a number past every float": Bad(valued("tokens", "1e999"), "mistyped", "data.tokens", "out of range"),
    "no time": Bad(body(time="yesterday"), "mistyped", "time", "RFC3339"),
    "a number for a time": Bad(body(time=5), "mistyped", "time", "got `int`"),
    "a day that isn't": Bad(body(time="2026-02-30T10:00:00Z"), "mistyped", "time", "RFC3339"),
    "a leap second": Bad(body(time="2016-12-31T23:59:60Z"), "mistyped", "time", "RFC3339"),
    "a time without an offset": Bad(body(time="2026-01-05T10:31:12"), "invalid", "time", "no offset from UTC"),
    "a time before 1970": Bad(body(time="1969-12-31T23:59:59Z"), "invalid", "time", "before 1970"),
    "the first moment of all": Bad(body(time="0001-01-01T00:00:00+23:59"), "invalid", "time", "before 1970"),
    "the last moment of all": Bad(body(time="9999-12-31T23:59:59-23:59"), "ahead", "time", "five minutes ahead"),
    "ahead": Bad(body(time=iso(5 * MINUTE + 1)), "ahead", "time", "five minutes ahead"),
    "late": Bad(body(time="2025-12-29T10:31:12Z"), "late", "time", "7 days or more before"),
    "an attribute without an offset": Bad(
        body({"born": "2000-01-01T00:00:00"}), "invalid", "data.born", "born has no offset from UTC"
    ),
    "an attribute at the end of time": Bad(
        body({"born": "9999-12-31T23:59:59-23:59"}), "invalid", "data.born", "not between the years 1900 and 2500"
    ),
    "an empty identifier": Bad(body({"account": ""}), "invalid", "data.account", "account is empty"),
    "an identifier of 64 KB": Bad(body({"account": "x" * 65_000}), "invalid", "data.account", "more than 512 char"),
    "NUL in an identifier": Bad(body({"account": "a\0"}), "invalid", "data.account", "control character (U+0000)"),
    "right to left": Bad(body({"account": "a\u202eb"}), "invalid", "data.account", "bidirectional control (U+202E)"),
    "zero width": Bad(body({"account": "a\u200bb"}), "invalid", "data.account", "invisible character (U+200B)"),
    "a blank letter": Bad(body({"account": "\u3164"}), "invalid", "data.account", "invisible character (U+3164)"),
    "a line break": Bad(body({"device": "d\n"}), "invalid", "data.device", "control character (U+000A)"),
    "no e-mail": Bad(body({"email": "nobody"}), "invalid", "data.email", "email has no @"),
    "hidden in an e-mail": Bad(body({"email": "a\u202e@b.example"}), "invalid", "data.email", "(U+202E)"),
    "no address": Bad(body({"ip": "300.1.1.1"}), "invalid", "data.ip", "ip "),
    "a long text": Bad(body({"plan": "x" * 8_193}), "invalid", "data.plan", "more than 8,192 characters"),
    "too large": Bad(body({"plan": "x" * LARGEST_EVENT}), "too_large", "", "at most 65,536 are taken"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_each_fault_is_told_by_code_field_and_reason(bad: Bad) -> None:
    taken = DECODER.single(bad.body, NOW)
    assert isinstance(taken, Refusal), taken
    assert (taken.code, taken.field) == (bad.code, bad.field), taken
    assert bad.words in taken.reason
    assert taken.reason.isprintable()
    assert len(taken.reason) < 200  # never the hostile text itself
    assert all(name in taken.reason for name in bad.field.split(".")[-1:])


def test_a_refusal_gives_the_id_back_if_it_is_one() -> None:
    ids = {
        name: refusal.id for name, bad in BAD.items() if isinstance(refusal := DECODER.single(bad.body, NOW), Refusal)
    }
    assert ids["an unknown type"] == ids["a missing attribute"] == ids["zero width"] == ids["late"] == "1"
    assert ids["a long id"] == ids["NUL in the id"] == ids["a number for an id"] == ids["no JSON"] == ""


GOOD = {
    "in other capitals": body({"email": "A.Nna+x@Gmail.com"}),
    "a Cyrillic letter in a Latin name": body({"email": "p\u0430ul@gmail.com"}),
    "members that are not declared": body({"gone": {"deep": [1, {"er": None}]}}, subject="x", extension=[1]),
    "null for an optional one": valued("device", "null"),
    "an escaped pair": valued("plan", '"\\ud83d\\ude00"'),
    "control characters in a text": body({"plan": "a\0\u202e\u200b"}),
    "a text of 8 KB": body({"plan": "x" * 8_192}),
    "an identifier of 512": body({"account": "x" * 512}),
    "the largest numbers": body({"tokens": -(2.0**53), "seats": 2**53}),
    "just not ahead": body(time=iso(5 * MINUTE)),
    "just not late": body(time="2025-12-29T10:31:12.000001Z"),
    "another offset": body(time="2026-01-05T12:31:12+02:00"),
    "spaces around": b" \r\n\t" + body() + b"\n ",
}


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD.keys())
def test_what_is_unusual_but_right_is_taken(raw: bytes) -> None:
    assert isinstance(DECODER.single(raw, NOW), Event)


def test_an_imitated_address_is_taken_with_the_fact() -> None:
    event = DECODER.single(GOOD["a Cyrillic letter in a Latin name"], NOW)
    assert isinstance(event, Event)
    parsed = email.parse(event.data.email)
    assert parsed.mixed_script
    assert parsed.value != "paul@gmail.com"
    assert parsed.skeleton == "paul@gmail.com"


def test_of_a_name_given_twice_the_last_counts() -> None:
    event = DECODER.single(body().replace(b'"id": "1"', b'"id": "1", "id": "2"'), NOW)
    assert isinstance(event, Event)
    assert event.id == "2"
    contrary = DECODER.single(body().replace(b'"source"', b'"type": "api.request", "source"'), NOW)
    assert isinstance(contrary, Refusal)
    assert contrary.field == "type"


def test_times_are_microseconds_and_an_event_without_one_gets_its_receipt() -> None:
    at = DECODER.single(body(time="2026-01-05T12:31:11.5000009+02:00"), NOW)
    without = DECODER.single(body(), NOW)
    assert isinstance(at, Event)
    assert isinstance(without, Event)
    assert (at.time, at.received) == (NOW - 499_999, NOW)
    assert (without.time, without.received) == (NOW, NOW)


def test_an_import_is_received_at_its_own_time_and_needs_one() -> None:
    event, refusal = DECODER.single(body(time="1999-01-01T00:00:00Z"), None), DECODER.single(body(), None)
    assert isinstance(event, Event)
    assert event.time == event.received == 915_148_800 * SECOND
    assert refusal == Refusal("missing", "time", "an imported event needs a time", "1")


@pytest.mark.parametrize(
    ("longest", "oldest", "words"),
    [(0, 30 * DAY, "30 days"), (90 * DAY, 30 * DAY, "30 days"), (HOUR, HOUR, "60 minutes")],
)
def test_late_means_the_longest_window_but_not_more_than_a_repeat_is_known(
    longest: int, oldest: int, words: str
) -> None:
    decoder = Decoder(checked(), longest)
    assert decoder.oldest == oldest
    born = NOW - 20 * DAY
    event = DECODER.single(body(), born)
    assert isinstance(event, Event)
    late = decoder.admit(Event(event.source, event.id, event.type, born, born + oldest, event.data))
    assert isinstance(late, Refusal)
    assert words in late.reason
    just_in_time = Event(event.source, event.id, event.type, born, born + oldest - 1, event.data)
    assert decoder.admit(just_in_time) is just_in_time


def test_what_was_not_decoded_here_is_admitted_by_the_same_rules() -> None:
    event = DECODER.single(body(), NOW)
    assert isinstance(event, Event)
    assert DECODER.admit(event) is event
    for name, source, field in (("", "s", "id"), ("x\0", "s", "id"), ("1", "", "source"), ("1", "s" * 257, "source")):
        refusal = DECODER.admit(Event(source, name, event.type, NOW, NOW, event.data))
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.field) == ("invalid", field)
    nan = type(event.data)(account="a", tokens=float("nan"))
    assert DECODER.admit(Event("s", "1", event.type, NOW, NOW, nan)) == Refusal(
        "invalid", "data.tokens", "tokens is not a finite number within 2**53", "1"
    )


# ------------------------------------------------------------------------------------------------------------- together


def array(bodies: list[bytes]) -> bytes:
    return b"[" + b", ".join(bodies) + b"]"


def joined(bodies: list[bytes]) -> bytes:
    return b"\n".join(bodies)


Together = Callable[[bytes, int], list[Taken]]
WAYS: list[tuple[Callable[[list[bytes]], bytes], Together]] = [(array, DECODER.batch), (joined, DECODER.lines)]
#: Faults that stay inside their own event, however it is sent.
APART = [bad.body for bad in BAD.values() if not bad.field or bad.code != "malformed"]


@pytest.mark.parametrize(("join", "decode"), WAYS, ids=["batch", "lines"])
def test_in_company_an_event_fares_as_it_does_alone(join: Callable[[list[bytes]], bytes], decode: Together) -> None:
    # What is malformed alone spoils an array as a whole, and an array or an empty line has another meaning there.
    mixed = [raw for bad in BAD.values() if (raw := bad.body) and bad.code != "malformed" and not raw.startswith(b"[")]
    bodies = [each for raw in mixed for each in (raw, body(), request(1, cost=2.0))]
    assert decode(join(bodies), NOW) == [DECODER.single(raw, NOW) for raw in bodies]
    assert len(refused(decode(join(bodies), NOW))) == len(mixed)


def test_a_malformed_line_spoils_no_other() -> None:
    taken = DECODER.lines(b"\r\n\n" + joined([body(), b"{", b"\xff", body(id="2")]) + b"\r\n", NOW)
    assert [each.code if isinstance(each, Refusal) else each.id for each in taken] == [
        "1",
        "malformed",
        "malformed",
        "2",
    ]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1,2", b"5", b'[{"a":"\xff"}', b"[" * 50_000, body()])
def test_a_body_that_is_no_array_is_one_refusal(raw: bytes) -> None:
    [refusal] = DECODER.batch(raw, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "malformed"


def test_an_empty_batch_is_no_fault() -> None:
    assert DECODER.batch(b"[]", NOW) == DECODER.lines(b"", NOW) == DECODER.lines(b"\n\n", NOW) == []
    assert DECODER.batch(b"[" + b" " * LARGEST_EVENT + b"]", NOW) == []


def test_an_event_too_large_is_refused_in_a_batch_as_it_is_alone() -> None:
    large = body({"account": "b"}, extra="x" * LARGEST_EVENT)
    for taken in (DECODER.batch(array([body(), large]), NOW), DECODER.lines(joined([body(), large]), NOW)):
        assert isinstance(taken[0], Event)
        assert isinstance(taken[1], Refusal)
        assert taken[1].code == "too_large"


@pytest.mark.parametrize(("join", "decode"), WAYS, ids=["batch", "lines"])
def test_a_batch_is_bounded_in_bytes_and_in_events(join: Callable[[list[bytes]], bytes], decode: Together) -> None:
    small = b'{"specversion":"1.0","id":"1","source":"s","type":"api.request","data":{"account":"a"}}'
    most = decode(join([small] * MOST_EVENTS), NOW)
    assert len(most) == MOST_EVENTS
    assert not refused(most)
    for raw in (
        join([small] * (MOST_EVENTS + 1)),
        join([b"0"] * (MOST_EVENTS + 1)),
        join([b"0"] * (LARGEST_BATCH // 3)),
        join([body({"plan": "x" * 8_000})] * (LARGEST_BATCH // 8_000)),
    ):
        [refusal] = decode(raw, NOW)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "too_large"


# -------------------------------------------------------------------------------------------------------------- nothing


@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    DECODER.single(raw, NOW)
    DECODER.batch(raw, NOW)
    DECODER.lines(raw, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
NAMES = ["account", "email", "ip", "device", "plan", "tokens", "seats", "trusted", "born"]
#: JSON that looks like an event more often than not.
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.just("1.0") | JSON,
        "id": st.text(min_size=1, max_size=3) | JSON,
        "source": st.text(min_size=1, max_size=3) | JSON,
        "type": st.sampled_from(["account.signup", "api.request"]) | JSON,
        "time": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | JSON,
        "data": st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5).map(lambda data: {"account": "a"} | data)
        | JSON,
    },
)


@given(st.lists(EVENTS | JSON, max_size=4))
def test_no_json_raises_and_all_ways_agree(values: list[object]) -> None:
    bodies = [json.dumps(value, allow_nan=True).encode() for value in values]
    alone = [DECODER.single(raw, NOW) for raw in bodies]
    assert DECODER.lines(joined(bodies), NOW) == alone
    together = DECODER.batch(array(bodies), NOW)
    assert together == alone or refused(together)[0].code == "malformed"
    for each in alone:
        if isinstance(each, Event):
            assert DECODER.admit(each) is each


def test_a_pack_with_one_event_type_needs_no_other() -> None:
    text = HEAD.split("[event", 1)[0] + "[event" + HEAD.split("[event", 2)[1] + '[[segment]]\nname = "default"\n'
    decoder = Decoder(checked(text), WEEK)
    assert isinstance(decoder.single(body(), NOW), Event)
    assert isinstance(decoder.single(request(1), NOW), Refusal)
    assert RULES not in text
