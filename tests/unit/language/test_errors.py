"""Every fault of a pack as people see it: one file in tests/packs/bad for each, against its snapshot.

`pytest --snapshot-update` writes the snapshots again; read what changed as you would read a compiler's message.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.language.problems import PackError

PACKS = Path(__file__).parents[2] / "packs"
BASE = (PACKS / "base.toml").read_text("utf-8")
ALONE = sorted((PACKS / "bad" / "alone").glob("*.toml"))
LAID_OVER = sorted((PACKS / "bad").glob("*.toml"))


def refusal(files: Mapping[str, str]) -> PackError:
    with pytest.raises(PackError) as caught:
        check_pack(pack_from_texts(files), TYPES)
    return caught.value


def of_condition(when: str) -> PackError:
    """The refusal of a rule with this condition, given as a TOML string."""
    rule = f'[[rule]]\nname = "bad"\non = "account.signup"\nwhen = {when}\n'
    return refusal({"base.toml": BASE, "bad.toml": rule})


def test_the_base_is_sound() -> None:
    check_pack(pack_from_texts({"base.toml": BASE}), TYPES)


@pytest.mark.parametrize("file", LAID_OVER, ids=lambda file: file.stem)
def test_a_fault_is_told_as_a_compiler_would(file: Path, snapshot: SnapshotAssertion) -> None:
    assert str(refusal({"base.toml": BASE, "bad.toml": file.read_text("utf-8")})) == snapshot


@pytest.mark.parametrize("file", ALONE, ids=lambda file: file.stem)
def test_a_fault_of_a_whole_pack(file: Path, snapshot: SnapshotAssertion) -> None:
    assert str(refusal({"pack.toml": file.read_text("utf-8")})) == snapshot


def test_every_fault_has_its_own_text() -> None:
    told = [str(refusal({"base.toml": BASE, "bad.toml": file.read_text("utf-8")})) for file in LAID_OVER]
    assert len({text for text in told if "did you mean" not in text}) >= 60


@pytest.mark.parametrize(
    ("when", "what"),
    [
        (f'"{"(" * 300}verified{")" * 300}"', "too many nested parentheses"),
        (f'"{"not " * 60}verified"', "nested more than 50 deep"),
        (f'"{"-" * 300}tokens > 1"', "nested more than 50 deep"),
        (f'"{" + ".join(["tokens"] * 60)} > 1"', "nested more than 50 deep"),
        (f"\"{'email.' * 300}domain == 'x'\"", "nested more than 50 deep"),
        (f'"{"not " * 990}verified"', "nested more than 50 deep"),
        (f"'{'x' * 4_001}'", "4,001 characters; at most 4,000"),
        ('"verified\\u0000"', "hidden character here (U+0000)"),
        ('"verified \\r\\n and"', "hidden character here (U+000D)"),
        ("\"country == '\\u202e'\"", "hidden character here (U+202E)"),
        ("'tokens > 0777'", "leading zeros"),
        ("'''country == \"\\ud800\"'''", r"`\u` is no escape"),
        ("'''country == \"\\xZZ\"'''", r"`\x` is no escape"),
    ],
)
def test_what_python_would_choke_on_is_told(when: str, what: str) -> None:
    problems = of_condition(when).problems
    assert what in problems[0].what
    assert problems[0].place.line == 4


def test_a_condition_as_deep_as_it_may_be_runs() -> None:
    rule = f'[[rule]]\nname = "good"\non = "account.signup"\nwhen = "{"not " * 49}verified"\n'
    assert check_pack(pack_from_texts({"base.toml": BASE, "good.toml": rule}), TYPES).rules


def test_faults_of_all_files_are_told_at_once_and_in_order() -> None:
    bad = '[[rule]]\nname = "bad"\non = "account.signup"\nwhen = "{}"\n'
    files = {"b.toml": bad.format("no_b"), "base.toml": BASE, "a.toml": bad.format("no_a").replace("bad", "worse")}
    assert [(each.place.file, each.what.split("`")[1]) for each in refusal(files).problems] == [
        ("a.toml", "no_a"),
        ("b.toml", "no_b"),
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"x = " + b"[" * 5_000, "nested too deeply"),
        (b"x = " + b"9" * 5_000, "4300 digits"),
    ],
)
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "pack.toml").write_bytes(content)
    with pytest.raises(PackError, match=what):
        load_pack(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no such folder"):
        load_pack(tmp_path / "nowhere")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "pack.toml").mkdir()
    with pytest.raises(PackError, match="this file can't be read: Is a directory"):
        load_pack(tmp_path)


def test_lists_come_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(BASE, "utf-8")
    (tmp_path / "exits.toml").write_text('[[list]]\nname = "exits"\nentity = "ip"\nfile = "exits.txt"\n', "utf-8")
    (tmp_path / "exits.txt").write_text("# a comment\n192.0.2.1 # home\n\n2001:db8::1\n", "utf-8")
    assert load_pack(tmp_path).lists["exits"].entries == ("192.0.2.1", "2001:db8::1")
    (tmp_path / "exits.txt").write_text("\n".join(f"no address {number}" for number in range(9)), "utf-8")
    with pytest.raises(PackError) as caught:
        check_pack(load_pack(tmp_path), TYPES)
    assert len(caught.value.problems) == 3
