"""What a backup's settings say, and what is said of a backup."""

import json
from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.errors import BadRequest
from fairgate.entrypoints import backup_command
from fairgate.settings import Settings, read_settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing is said\n",
        'pack = "/etc/pack"\ndata = "/var/lib/x"\n',
        "data = '/var/lib/x' # where\npack='ai_api'\n",
        '"data" = "/x"\n[door]\nport = 1\n',
        "[door]\nport = 1\n",
        '[desk]\npacks = "data"',
    ],
)
def test_the_settings_of_a_backup_are_those_of_its_own_folder(tmp_path: Path, text: str) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "before.toml").write_text(text)
    (tmp_path / "fairgate.toml").write_text(backup_command.moved(text))
    before, moved = read_settings(tmp_path / "before.toml"), read_settings(tmp_path / "fairgate.toml")
    assert (moved.pack, moved.data) == (str(tmp_path / "pack"), tmp_path / "data")
    assert (moved.door, moved.desk) == (before.door, before.desk)


@pytest.fixture
def service(tmp_path: Path) -> Settings:
    with open_log(tmp_path / "data" / "log"):
        return Settings(data=tmp_path / "data")


def test_what_is_not_in_a_backup_is_said(tmp_path: Path, service: Settings) -> None:
    (service.data / "notes").write_text("")
    said: list[str] = []
    assert backup_command.back_up(service, None, tmp_path / "copy", said.append, with_secret=False) == 0
    assert f"{service.data / 'notes'} is left out" in said
    assert any("THE SECRET IS NOT IN THE BACKUP" in line for line in said)
    assert (tmp_path / "copy" / "pack" / "pack.toml").exists()
    assert backup_command.restore(tmp_path / "copy", tmp_path / "new", said.append) == 0
    assert any("THE SECRET WAS NOT IN THE BACKUP" in line for line in said)
    assert read_settings(tmp_path / "new" / "fairgate.toml").data == tmp_path / "new" / "data"


def test_a_secret_that_the_environment_has_cannot_be_copied(tmp_path: Path, service: Settings) -> None:
    with pytest.raises(BadRequest, match="keep FAIRGATE_SECRET yourself"):
        backup_command.back_up(service, None, tmp_path / "copy", print, with_secret=True)
    assert not (tmp_path / "copy").exists()


def test_a_backup_of_a_newer_log_is_left_to_a_newer_program(tmp_path: Path, service: Settings) -> None:
    backup_command.back_up(service, None, tmp_path / "copy", lambda _: None, with_secret=False)
    said = json.loads((tmp_path / "copy" / "backup.json").read_text())
    (tmp_path / "copy" / "backup.json").write_text(json.dumps(said | {"records_format": 99, "fairgate": "9.1"}))
    with pytest.raises(BadRequest, match=r"Fairgate 9\.1 made it"):
        backup_command.restore(tmp_path / "copy", tmp_path / "new", lambda _: None)
    assert not (tmp_path / "new").exists()
