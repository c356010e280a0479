"""Settings that are used are those that were meant: whatever else a file says stops the start, with its line."""

import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from fairgate.domain.errors import BadSettings
from fairgate.domain.windows import DAY
from fairgate.settings import (
    CallSite,
    DoorSettings,
    LogSettings,
    Retention,
    Settings,
    check_log_days,
    check_retention,
    convert,
    read_settings,
    settings_of,
)

ROOT = Path(__file__).parents[2]
Read = Callable[[str], Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as `fairgate.toml`."""

    def reading(text: str) -> Settings:
        file = tmp_path / "fairgate.toml"
        file.write_text(text, "utf-8")
        return read_settings(file)

    return reading


def refusal(read: Read, text: str) -> str:
    """What a text is refused with."""
    with pytest.raises(BadSettings) as caught:
        read(text)
    return str(caught.value)


def tables() -> Iterator[type[msgspec.Struct]]:
    """Every table of the file."""
    shapes: list[inspect.Type] = [inspect.type_info(Settings)]
    while shapes:
        match shapes.pop():
            case inspect.Metadata(type=inner):
                shapes.append(inner)
            case inspect.DictType(value_type=inner) | inspect.ListType(item_type=inner):
                shapes.append(inner)
            case inspect.StructType(cls=cls, fields=fields):
                shapes += [each.type for each in fields]
                yield cls


def test_without_a_file_or_in_an_empty_one_all_is_default(read: Read, tmp_path: Path) -> None:
    assert read_settings(None) == Settings() == convert({})
    assert read("") == msgspec.structs.replace(Settings(), data=tmp_path / "fairgate-data")


def test_all_that_a_file_says_is_taken(read: Read) -> None:
    read_back = read(
        '[door]\nport = 1\nbody_seconds = 2\n[call_site.signup]\nfail = "hold"\ndeadline_ms = 50\n'
        '[retention."api.request"]\ndays = 30\n[retention.default]\nmegabytes = 5\n[telemetry]\nlog_json = true\n'
    )
    assert (read_back.door.port, read_back.door.body_seconds) == (1, 2.0)
    assert read_back.site("signup") == CallSite(fail="hold", deadline_ms=50)
    assert read_back.site("default") == CallSite()
    assert read_back.site("login") is None
    assert read_back.retention == {"api.request": Retention(days=30), "default": Retention(megabytes=5)}
    assert read_back.telemetry.log_json


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("dta = 'x'", "1:1", "did you mean `data`?"),
        ("\n[door]\nhots = 'x'", "3:1", "did you mean `host`?"),
        ("[dor]\nhost = 'x'", "1:1", "did you mean `door`?"),
        ("[call_site.signup]\ndeadline = 5", "2:1", "did you mean `deadline_ms`?"),
        ("[log]\nsegments = 5\nx = 1", "3:1", "known: days, segment_megabytes"),
        ("[desk]\nsql_second = 5", "2:1", "did you mean `sql_seconds`?"),
        ('[retention."api.request"]\nday = 5', "2:1", "did you mean `days`?"),
        ("[telemetry]\nlog_levle = 'info'", "2:1", "did you mean `log_level`?"),
        ("door.prot = 80", "1:1", "did you mean `port`?"),
        ("door = { prot = 80 }", "1:10", "did you mean `port`?"),
        ("data = 7", "1:8", "this is a number, where a text is needed"),
        ("door = 7", "1:8", "where a table is needed"),
        ("call_site = { fail = 'allow' }", "1:23", "this is a text, where a table is needed"),
        ("[door]\nport = '8080'", "2:9", "this is a text, where a whole number is needed"),
        ("[door]\nport = true", "2:8", "where a whole number is needed"),
        ("[door]\nport = 80.5", "2:8", "where a whole number is needed"),
        ("[door]\nport = 65536", "2:8", "this must be at least 0 and at most 65,535"),
        ("[door]\nbody_seconds = 0", "2:16", "this must be above 0"),
        ("[desk]\nsql_seconds = nan", "2:15", "this must be above 0"),
        ("[log]\nsegment_megabytes = 1025", "2:21", "at most 1,024"),
        ("[retention.default]\ndays = 0", "2:8", "this must be at least 1"),
        ("[call_site.default]\nfail = 'alow'", "2:9", "did you mean `allow`?"),
        ("[call_site.default]\ndeadline_ms = 60001", "2:15", "at most 60,000"),
        ("[telemetry]\nlog_level = 'loud'", "2:14", "known: debug, error, info, warning"),
        ("[challenge.captcha]\nby = 'magic'", "2:7", "known: code, proof_of_work, reported, siteverify"),
        ("[challenge.captcha]\nby = 'siteverify'", "1:1", "`siteverify` needs `url`, `site_key` and `hostnames`"),
        ("[challenge.captcha]\ndifficulty = 33", "2:14", "at most 32"),
        ("[challenge.captcha]\nurl = 'http://vendor.example.com/'", "1:1", "must begin with https://"),
        ("[challenge.captcha]\nurl = 'http://localhost:1@vendor.example.com/'", "1:1", "must begin with https://"),
        ("[desk]\nsql_rows = 0", "2:12", ":2:12: desk.sql_rows: this must be at least 1"),
        ("[door]\nhots = 'x'", "2:1", ":2:1: door.hots: there is no `hots` here"),
        ("[call_site.a]\ndeadline_ms = 0", "2:15", ": call_site.a.deadline_ms: "),
        ("[share]\ndeadline = 5", "2:1", "did you mean `deadline_ms`?"),
        ("[[share.pool]]\ncapacity = -1", "2:12", "at least 0"),
        ("[[share.pool]]\nburst = 0", "2:9", "above 0"),
        ("[[share.pool]]\nunit = 'token'", "2:9", "did you mean `tokens`?"),
        ("[[share.pool]]\n[share.pool.prices]\noutput = -2", "3:10", "at least 0"),
        ("[[share.pool]]\n[[share.pool]]", "1:1", "two pools have the same name"),
        ("[door]\ntls_cert = 'a.pem'", "1:1", "`tls_cert` and `tls_key` go together"),
        ("[door]\ntls_key = 'a.pem'", "1:1", "door: `tls_cert` and `tls_key` go together"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(read: Read, text: str, place: str, words: str) -> None:
    told = refusal(read, text)
    assert f"fairgate.toml:{place}: " in told
    assert words in told


def test_all_faults_are_told_at_once_in_their_order(read: Read) -> None:
    told = refusal(read, "prot = 1\n[door]\nport = -1\n[desk]\nenabled = 'yes'\n")
    assert re.findall(r"fairgate\.toml:(\d):", told) == ["1", "3", "5"]


@pytest.mark.parametrize("text", ["[door", "a = 1\na = 2", "a = 1_", f"a = {'9' * 5_000}", "a = " + "[" * 5_000])
def test_a_file_that_is_no_toml_is_refused(read: Read, text: str) -> None:
    assert "this is not TOML" in refusal(read, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"nowhere\.toml can't be read: No such file"):
        read_settings(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'pack = "caf\xe9"')
    with pytest.raises(BadSettings, match="it is not UTF-8 at byte 11"):
        read_settings(tmp_path / "latin.toml")


def test_paths_are_relative_to_the_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    found = read('pack = "mine"\ndata = "data"\n[door]\ntls_cert = "/etc/cert.pem"\ntls_key = "tls/key.pem"\n')
    assert (found.pack, found.data) == (str(tmp_path / "mine"), tmp_path / "data")
    assert (found.door.tls_cert, found.door.tls_key) == (Path("/etc/cert.pem"), tmp_path / "tls" / "key.pem")
    assert read('pack = "ai_api"').pack == "ai_api"


def test_what_is_given_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "fairgate.toml"
    file.write_text("pack = 'a'\n[door]\nhost = '::1'\nport = 1\n[desk]\nport = 2\n")
    found = settings_of(file, {"pack": "b", "door.port": 3})
    assert (found.pack, found.door.host, found.door.port, found.desk.port) == ("b", "::1", 3, 2)


def test_retention_names_types_of_the_pack() -> None:
    settings = Settings(retention={"default": Retention(days=1), "account.signup": Retention(days=1)})
    check_retention(settings, {"account.signup", "api.request"})
    with pytest.raises(BadSettings, match=re.escape('[retention."account.signup"]: the pack has no such event type')):
        check_retention(settings, {"api.request"})
    with pytest.raises(BadSettings, match=r"did you mean `account\.signups`"):
        check_retention(settings, {"account.signups"})


def test_the_log_is_kept_for_longer_than_the_pack_looks_back() -> None:
    check_log_days(Settings(), 90 * DAY)
    check_log_days(Settings(log=LogSettings(days=91)), 90 * DAY)
    with pytest.raises(BadSettings, match=r"\[log\] days is 90, and the pack looks back over 90 days"):
        check_log_days(Settings(log=LogSettings(days=90)), 90 * DAY)


def test_half_a_tls_pair_is_refused_in_a_program_too() -> None:
    with pytest.raises(ValueError, match="go together"):
        DoorSettings(tls_cert=Path("a"))


@pytest.mark.parametrize("table", list(tables()), ids=lambda table: table.__name__)
def test_every_key_has_a_default_and_a_description_and_unknown_ones_are_faults(table: type[msgspec.Struct]) -> None:
    shape = inspect.type_info(table)
    assert isinstance(shape, inspect.StructType)
    assert shape.forbid_unknown_fields
    for each in shape.fields:
        assert not each.required, each.name
        assert isinstance(each.type, inspect.Metadata), each.name
        description = (each.type.extra_json_schema or {})["description"]
        assert description[0].isupper(), each.name
        assert description.endswith("."), each.name


def test_the_page_has_every_key_and_a_key_without_a_description_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = generate.settings()
    for table in tables():
        names = {name: (f"`{name}`", f"[{name}", f".{name}]") for name in table.__struct_fields__}
        assert [name for name, ways in names.items() if not any(way in page for way in ways)] == []

    class Bare(Settings, frozen=True):
        undescribed: int = 0

    monkeypatch.setattr(generate, "Settings", Bare)
    with pytest.raises(KeyError, match="undescribed"):
        generate.settings()
