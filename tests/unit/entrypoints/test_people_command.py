"""`fairgate people`, as it is typed."""

import sys
from pathlib import Path
from subprocess import run

import pytest
from click.testing import CliRunner, Result

from fairgate.entrypoints.cli import main
from fairgate.entrypoints.passwords import is_password
from fairgate.settings import Settings
from fairgate.wiring import open_keys, open_records

PASSWORD = "seven grey herons"


def typed(data: Path, *words: str, given: str = "") -> Result:
    return CliRunner().invoke(main, ["people", *words, "--data", str(data)], input=given)


def add(data: Path, name: str, role: str = "admin") -> Result:
    return typed(data, "add", name, "--role", role, "--password-stdin", given=f"{PASSWORD}\n")


def test_a_person_is_let_in_and_door_and_desk_are_closed_to_everybody_else(tmp_path: Path) -> None:
    made = add(tmp_path, "Ann")
    assert made.output.startswith("Ann may log in as admin.")
    with open_records(tmp_path) as records, open_keys(Settings(data=tmp_path)) as keys:
        ann = records.people.named("ann")
        assert ann is not None
        assert is_password(ann.password, PASSWORD)
        assert [(key.name, key.scopes, key.state(ann.created)) for key in keys.all()] == [
            ("people log in", frozenset(), "expired")
        ]
    add(tmp_path, "Bob")
    with open_keys(Settings(data=tmp_path)) as keys:
        assert len(keys.all()) == 1


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    asked = typed(tmp_path, "add", "Ann", "--role", "lead", given=f"{PASSWORD}\nanother one!\n{PASSWORD}\n{PASSWORD}\n")
    assert asked.exit_code == 0
    assert PASSWORD not in asked.output


def test_what_is_changed_is_shown(tmp_path: Path) -> None:
    add(tmp_path, "Ann")
    typed(tmp_path, "add", "Bob", "--role", "reader", "--oidc")
    typed(tmp_path, "role", "Bob", "admin")
    assert "Ann may not log in any more" in typed(tmp_path, "off", "ann").output
    lines = typed(tmp_path, "list").output.splitlines()
    assert lines[0].split() == ["id", "name", "role", "state", "logs", "in", "by", "created", "by"]
    assert [line.split()[1:5] for line in lines[1:]] == [
        ["Ann", "admin", "off", "password"],
        ["Bob", "admin", "active", "oidc"],
    ]
    assert typed(tmp_path, "on", "Ann").exit_code == 0
    assert typed(tmp_path, "password", "Ann", "--password-stdin", given="eight black storks\n").exit_code == 0
    assert typed(tmp_path, "totp-reset", "Ann").exit_code == 0
    with open_records(tmp_path) as records:
        ann = records.people.named("Ann")
        assert ann is not None
        assert is_password(ann.password, "eight black storks")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "ann", "--role", "lead", "--oidc"), "`ann` is somebody else's name"),
        (("add", " x", "--role", "lead", "--oidc"), "A person's name is"),
        (("add", "Eve", "--role", "leed", "--oidc"), "did you mean `lead`?"),
        (("add", "Eve", "--role", "lead", "--password-stdin"), "A password has 12 to 256 characters."),
        (("add", "first", "--role", "lead", "--oidc"), "`first` is the name of an API key"),
        (("off", "Ann"), "Make somebody else one before you take it from `Ann`"),
        (("role", "Ann", "lead"), "This is the last active admin."),
        (("role", "Eve", "lead"), "There is no such person. Asked for `Eve`"),
        (("password", "Eve", "--password-stdin"), "There is no such person."),
    ],
)
def test_what_can_t_be_is_told(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    key = ["keys", "create", "--scope", "read", "--name", "first", "--data", str(tmp_path)]
    assert CliRunner().invoke(main, key).exit_code == 0
    add(tmp_path, "Ann")
    refused = typed(tmp_path, *words, given="short\n")
    assert refused.exit_code == 1
    assert told in refused.output


def test_an_api_key_has_no_persons_name(tmp_path: Path) -> None:
    add(tmp_path, "Ann")
    key = ["keys", "create", "--scope", "read", "--name", "ANN", "--data", str(tmp_path)]
    refused = CliRunner().invoke(main, key)
    assert (refused.exit_code, "`ANN` is a person's name" in refused.output) == (1, True)


def test_help_loads_nothing_of_it() -> None:
    code = "import sys, fairgate.entrypoints.cli; print(*sys.modules)"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"argon2", "pyotp", "authlib", "joserfc", "sqlalchemy", "fastapi"} & set(loaded)
