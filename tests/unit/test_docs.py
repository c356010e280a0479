"""What the docs tell people to type exists: every command, option and file."""

import configparser
import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import click
import msgspec
import pytest

from fairgate.entrypoints.cli import main
from fairgate.settings import check_retention, read_settings
from fairgate.simulate import world_file
from fairgate.simulate.arena.report import OF_HONEST, OF_OPPONENTS
from fairgate.simulate.honest.people import SEGMENTS
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.simulation import KNOWN
from fairgate.wiring import load_checked

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
#: A line of code that may run the program.
_LINE = re.compile(r"(?m)^ {4,}(?:\$ )?((?:\S*/)?(?:fairgate|sudo|docker run|docker exec) .*)$")
_ENDS = {"|", ">", ">>", "&", "&&", ";"}


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """The commands in a page's code, as their words."""
    code = re.sub(r"\\\n\s*", " ", text)
    code = re.sub(r"(?ms)^```\w*\n(.*?)^```", lambda match: re.sub("(?m)^", "    ", match[1]), code)
    for match in _LINE.finditer(code):
        lexer = shlex.shlex(match[1], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(takewhile(lambda word: word not in _ENDS, lexer))
        programs = [at for at, word in enumerate(words) if Path(word).name == "fairgate"]
        if programs and (rest := words[programs[-1] + 1 :]):
            yield tuple(rest)


def parse(words: list[str]) -> None:
    """Let the command line read words as it would, without doing anything. Raises `click.UsageError`."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group):
        name, *words = words or [""]
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name!r}")
        command = found
    command.make_context(command.name, words)


TYPED = [
    (page.relative_to(ROOT).as_posix(), words)
    for page in PAGES
    for words in dict.fromkeys(commands(page.read_text("utf-8")))
]


@pytest.mark.parametrize(("page", "words"), TYPED, ids=[f"{page}: {' '.join(words)}" for page, words in TYPED])
def test_every_command_can_be_typed(page: str, words: tuple[str, ...]) -> None:
    assert (ROOT / page).exists()
    parse(list(words))


def test_commands_are_found_in_every_way_they_are_written() -> None:
    text = """Run `fairgate one`:

    fairgate check a --flag  # a comment
    $ fairgate log verify "b c" > out
    fairgate-data
```sh
sudo -u me /opt/bin/fairgate doctor
```
    docker run -d --name fairgate -v a:/b \\
        fairgate init c
    docker exec fairgate fairgate serve
    docker build -t fairgate .
"""
    found = [("check", "a", "--flag"), ("log", "verify", "b c"), ("doctor",), ("init", "c"), ("serve",)]
    assert list(commands(text)) == found
    assert len(TYPED) > 35


@pytest.mark.parametrize(
    "words", [["chek", "a"], ["check"], ["check", "a", "--fast"], ["log", "verfy", "a"], ["switch", "a", "of"]]
)
def test_what_cannot_be_typed_is_refused(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_is_mentioned_exists(page: Path) -> None:
    groups = {name: command for name, command in main.commands.items() if isinstance(command, click.Group)}
    for words in re.findall(r"`fairgate ([a-z][a-z -]*)", page.read_text("utf-8")):
        name, *rest = words.split()
        assert name in main.commands, words
        if name in groups and rest and not rest[0].startswith("-"):
            assert rest[0] in groups[name].commands, words


def test_every_command_is_in_the_docs() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in main.commands if f"fairgate {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, _, heading in re.findall(r"\]\(([^)#\s]*)(#([^)\s]+))?\)", page.read_text("utf-8")):
        if "://" in target or "\\" in target:
            continue
        found = (page.parent / target) if target else page
        assert found.exists(), target
        if heading:
            heads = re.findall(r"(?m)^#+ (.*)$", found.read_text("utf-8"))
            assert heading in [re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads], heading


# ------------------------------------------------------------------------------------------------- worlds and the arena

WORLD = (ROOT / "docs" / "reference" / "world-file.md").read_text("utf-8")
ARENA = (ROOT / "docs" / "how-to" / "arena.md").read_text("utf-8")
SHAPES = [
    each
    for each in vars(world_file).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__module__ == world_file.__name__
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """What writes the reference pages."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own_keys(shape: type[msgspec.Struct]) -> set[str]:
    """The keys that a shape adds to those of the shapes it extends."""
    return set(shape.__struct_fields__) - {key for base in shape.__bases__ for key in base.__struct_fields__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_of_a_world_is_on_its_page_and_described(shape: type[msgspec.Struct], generate: ModuleType) -> None:
    described = generate.WORLD_KEYS[shape]
    for key in own_keys(shape):
        if key not in described:  # a table of its own, whose keys are then described
            assert shape is world_file.World
            assert re.search(rf"(?m)^## \[+{key}\b", WORLD), key
    assert described.keys() <= set(shape.__struct_fields__)
    assert min(map(len, described.values())) > 5
    for key, words in described.items():
        assert re.search(rf"(?m)^\| `{key}` \|.*\| {re.escape(words)} \|$", WORLD), key


def test_a_key_a_segment_or_an_archetype_without_a_word_stops_the_generator(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(generate.WORLD_KEYS, world_file.Habits, {})
    with pytest.raises(KeyError, match="refers"):
        generate.world()

    def silent(_crowd: object, _created: object) -> list[object]:
        return []

    monkeypatch.setattr(generate, "SEGMENTS", {**SEGMENTS, "silent": silent})
    with pytest.raises(KeyError, match="silent"):
        generate.segments()
    mute = replace(archetypes()["credit_farm"], about="")
    monkeypatch.setattr(generate, "archetypes", lambda: {"mute": mute})
    with pytest.raises(KeyError, match="mute"):
        generate.opponents()


def test_every_segment_archetype_and_needed_challenge_is_on_the_worlds_page() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \|", WORLD.partition("\n## Segments")[2])
    assert rows == [*SEGMENTS, *sorted(archetypes())]
    assert [name for name in KNOWN.challenges if f"`{name}`" not in WORLD.partition("<!--")[0]] == []


def test_every_figure_and_option_of_the_arena_is_explained() -> None:
    assert [name for name in (*OF_OPPONENTS, *OF_HONEST) if not re.search(rf"(?m)^\|.*\| `{name}` \|", ARENA)] == []
    options = [option for each in main.commands["arena"].params for option in each.opts if each.name != "help"]
    assert [option for option in options if not re.search(rf"(?m)^\| .*`{option}\b.*\|", ARENA)] == []


# --------------------------------------------------------------------------------------------------------------- deploy


def unit() -> configparser.ConfigParser:
    """The systemd unit."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys are written with capitals
    parser.read(DEPLOY / "fairgate.service", "utf-8")
    return parser


def instructions() -> list[tuple[str, str]]:
    """The instructions of the container file."""
    text = re.sub(r"(?m)^#.*\n", "", (DEPLOY / "Containerfile").read_text("utf-8"))
    return re.findall(r"(?m)^([A-Z]+) (.*)$", re.sub(r"\\\n\s*", " ", text))


def test_the_example_settings_can_be_used_with_the_pack_that_ships() -> None:
    settings = read_settings(DEPLOY / "fairgate.toml")
    check_retention(settings, load_checked("ai_api").pack.event_types)
    assert settings.door.host == "127.0.0.1"
    assert settings.site("signup") is not None


def test_the_unit_starts_a_command_that_there_is_with_its_own_folders() -> None:
    service = unit()["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "fairgate"
    parse(words)
    settings = read_settings(DEPLOY / "fairgate.toml")
    assert settings.data.is_relative_to(f"/var/lib/{service['StateDirectory']}")
    assert f"/etc/{service['ConfigurationDirectory']}/fairgate.toml" in words
    assert int(service["LimitNOFILE"]) > settings.door.connections
    assert int(service["TimeoutStopSec"]) > settings.door.stop_seconds


def test_the_unit_gives_the_service_nothing_that_it_does_not_need() -> None:
    service = unit()["Service"]
    wanted = {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "PrivateDevices": "yes", "RestrictSUIDSGID": "yes", "CapabilityBoundingSet": "", "UMask": "0077",
        "SystemCallFilter": "@system-service", "Restart": "on-failure", "StateDirectoryMode": "0700",
    }  # fmt: skip
    assert {key: service[key] for key in wanted} == wanted
    assert "MemoryDenyWriteExecute" not in service  # the kernel is compiled into memory


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "fairgate.service").read_text("utf-8")
    (tmp_path / "fairgate.service").write_text(text.replace("/opt/fairgate/bin/fairgate", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "fairgate.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_container_runs_a_command_that_there_is_as_a_user_of_its_own() -> None:
    found = instructions()
    given = dict(found)
    assert given["USER"] == "10001:10001"
    assert given["VOLUME"] == given["WORKDIR"] == "/var/lib/fairgate"
    assert [name for name, _ in found][-2:] == ["ENTRYPOINT", "CMD"]
    assert given["ENTRYPOINT"] == '["fairgate"]'
    parse(re.findall(r'"([^"]*)"', given["CMD"]))
    assert f"FAIRGATE_CONFIG={given['VOLUME']}/fairgate.toml" in given["ENV"]
    for name, words in found:
        if name == "COPY" and "--from" not in words:
            for source in words.split()[:-1]:
                assert (ROOT / source).exists(), source


def test_the_container_asks_itself_whether_it_is_ready_in_python_that_runs() -> None:
    health = next(words for name, words in instructions() if name == "HEALTHCHECK")
    code = re.findall(r'"([^"]*)"', health.partition("CMD")[2])[-1]
    compile(code, "HEALTHCHECK", "exec")
    assert f":{dict(instructions())['EXPOSE']}/readyz" in code


def test_what_the_consoles_types_are_made_of_is_current(generate: ModuleType) -> None:
    for name, text in generate.api_documents().items():
        assert (generate.CONSOLE / name).read_text() == text, f"{name} is stale: run make docs"
