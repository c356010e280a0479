"""A folder made by `fairgate init` is one that a service starts in, and nothing of anybody's is overwritten."""

import json
import re
import shlex
from pathlib import Path

import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.errors import BadRequest
from fairgate.domain.event import Event
from fairgate.entrypoints import init_command
from fairgate.ingest.decode import Decoder
from fairgate.language.problems import PackError
from fairgate.secret_file import secrets_of
from fairgate.settings import (
    CallSite,
    ChallengeSettings,
    ClerkSettings,
    DeskSettings,
    DoorSettings,
    LogSettings,
    OidcSettings,
    PeopleSettings,
    Retention,
    Settings,
    ShareLeases,
    SharePool,
    SharePrices,
    ShareSettings,
    ShareSpeeds,
    TelemetrySettings,
    WebhookSettings,
    read_settings,
)
from fairgate.wiring import load_checked
from tests.support import NOW

EXAMPLES = Path(__file__).parents[3] / "examples"


def init(folder: Path, pack: str = "ai_api") -> list[str]:
    """Make a folder; returns what was said."""
    said: list[str] = []
    assert init_command.run(folder, pack, said.append) == 0
    return said


def test_a_service_can_be_started_in_what_is_made(tmp_path: Path) -> None:
    said = init(tmp_path / "new" / "service")
    assert len(said) == 5
    settings = read_settings(tmp_path / "new" / "service" / "fairgate.toml")
    assert settings.data == tmp_path / "new" / "service" / "data"
    assert load_checked(settings.pack).pack.files == load_checked("ai_api").pack.files
    assert list(secrets_of(settings.data, make=False).versions) == [1]
    with open_api_keys(settings.data / "keys.db") as keys:
        [key] = keys.all()
    assert key.name == "first"
    assert key.scopes == {Scope.DECIDE, Scope.INGEST}
    assert f"fg_{key.id}_" in said[3]


def test_what_is_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    init(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]}
    assert modes == {"data": 0o700, "secret": 0o600, "keys.db": 0o600}


def test_the_secret_is_left_to_the_environment_that_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRGATE_SECRET", "5eed5eed5eed5eed")
    init(tmp_path)
    assert not (tmp_path / "data" / "secret").exists()


@pytest.mark.parametrize("pack", ["ai_api", "card_payments", "rules18"])
def test_the_event_to_try_is_one_that_the_pack_takes(tmp_path: Path, pack: str) -> None:
    name = pack if pack == "ai_api" else str(EXAMPLES / pack)
    curl = init(tmp_path, name)[3]
    words = shlex.split(curl.removeprefix("Ask it:"))
    checked = load_checked(name)
    event = Decoder(checked, 0).single(words[words.index("-d") + 1].encode(), NOW)
    assert isinstance(event, Event), event


def test_a_sample_of_every_type_is_taken() -> None:
    checked = load_checked("ai_api")
    decoder = Decoder(checked, 0)
    for event_type in checked.pack.event_types.values():
        data = {each.name: init_command.sample_of(each) for each in event_type.attributes}
        body = {"specversion": "1.0", "id": "1", "source": "try", "type": event_type.name, "data": data}
        assert isinstance(event := decoder.single(json.dumps(body).encode(), NOW), Event), event


def test_the_settings_file_says_every_key_with_its_default(tmp_path: Path) -> None:
    file = tmp_path / "fairgate.toml"
    text = re.sub(r"(?m)^#(?=[a-z\[])", "", init_command.settings_file())
    file.write_text(text.replace('data = "data"', 'data = "fairgate-data"').replace('pack = "pack"', 'pack = "ai_api"'))
    expected = Settings(
        data=tmp_path / "fairgate-data",
        call_site={"default": CallSite()},
        retention={"default": Retention()},
        webhook={"default": WebhookSettings()},
        challenge={"default": ChallengeSettings()},
        share=ShareSettings(pool=[SharePool()]),
    )
    assert read_settings(file) == expected
    for table in (Settings, DoorSettings, CallSite, LogSettings, DeskSettings, Retention, TelemetrySettings,
                  ChallengeSettings,
                  ShareSettings, ShareLeases, SharePool, SharePrices, ShareSpeeds,
                  ClerkSettings, WebhookSettings, PeopleSettings, OidcSettings):  # fmt: skip
        for key in table.__struct_fields__:
            assert re.search(rf"(?m)^(# {key} is not set\.|{key} = |\[+[a-z.]*{key}(\.default)?\])", text), key


@pytest.mark.parametrize("name", ["fairgate.toml", "pack", "data"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadRequest, match=re.escape(f"{tmp_path / name} would be overwritten")):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_all_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    init(tmp_path)
    with pytest.raises(BadRequest, match=r"fairgate\.toml and .*pack and .*data would be overwritten"):
        init(tmp_path)


def test_a_pack_with_faults_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "pack.toml").write_text("[pack]\nname = 1")
    with pytest.raises(PackError):
        init(tmp_path / "new", str(tmp_path / "bad"))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRequest, match="can't be written: Not a directory"):
        init(tmp_path / "file")
