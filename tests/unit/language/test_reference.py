"""The reference page says all there is, as it is."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from fairgate.domain.windows import WINDOW_ALIASES, WINDOWS
from fairgate.ingest.identifiers import TYPES
from fairgate.language.aggregates import AGGREGATES
from fairgate.language.check_pack import check_pack
from fairgate.language.functions import FUNCTIONS
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.pack_tables import SECTIONS, Table
from fairgate.language.syntax import DEEPEST, LONGEST
from fairgate.language.tree import PLAIN_TYPES, PLAIN_TYPES_ABOUT
from fairgate.pipeline.rule_tests import MOST_EVENTS, START

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reference" / "rule-language.md").read_text("utf-8")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=lambda page: page.name)
def test_no_page_is_stale(page: Path, generate: ModuleType) -> None:
    text = page.read_text("utf-8")
    assert generate.generated(text) == text, "run `make docs`"


def test_every_part_is_on_a_page(generate: ModuleType) -> None:
    pages = [page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md")]
    assert set(re.findall(r"<!-- generated: (\S+) -->", "\n".join(pages))) == generate.PARTS.keys()


@pytest.mark.parametrize("name", [*FUNCTIONS, *AGGREGATES, *WINDOWS, *WINDOW_ALIASES, *PLAIN_TYPES, *TYPES, *SECTIONS])
def test_everything_is_on_the_page(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGE)


def test_everything_has_a_description() -> None:
    assert PLAIN_TYPES_ABOUT.keys() == PLAIN_TYPES.keys()
    texts = [
        *(each.about for each in FUNCTIONS.values()),
        *(each.about for each in AGGREGATES.values()),
        *(each.about for each in TYPES.values()),
        *PLAIN_TYPES_ABOUT.values(),
    ]
    assert min(map(len, texts)) > 10


def test_every_key_of_every_table_is_described(generate: ModuleType) -> None:
    tables = [each for each in Table.__subclasses__() if each.__module__.startswith("fairgate.")]
    assert {shape: set(shape.__struct_encode_fields__) for shape in tables} == {
        shape: set(keys) for shape, keys in generate.KEYS.items()
    }


def test_a_key_without_a_description_stops_the_generator(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = SECTIONS["rule"][1]
    monkeypatch.setitem(generate.KEYS[shape], "when", None)
    monkeypatch.delitem(generate.KEYS[shape], "when")
    with pytest.raises(KeyError, match="when"):
        generate.keys(shape)


def test_the_limits_are_those_of_the_program() -> None:
    assert f"at most {LONGEST:,} characters and is at most\n{DEEPEST} deep" in PAGE
    assert f"up to {MOST_EVENTS:,} events" in PAGE
    assert "2026-01-05T10:00:00Z" in PAGE
    assert START == 1_767_607_200_000_000


FRAME = """
[pack]
name = "page"
version = "1"
[event."account.signup".attributes]
account = { entity = "account", required = true }
email = { type = "email", entity = "email" }
ip = { type = "ip", entity = "ip" }
country = "text"
[[list]]
name = "offices"
entity = "ip"
[[rule]]
name = "trusted_partner"
on = "account.signup"
when = 'country == "NL"'
[[segment]]
name = "default"
"""


def test_the_example_on_the_page_is_sound() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert check_pack(pack_from_texts({"frame.toml": FRAME, "page.toml": example}), TYPES).rules
