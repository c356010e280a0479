"""The README's rule works, and its mistake is shown as the README shows it."""

import re
import textwrap
from pathlib import Path

import pytest

from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.language.problems import PackError
from fairgate.pipeline.rule_tests import run_rule_tests
from fairgate.wiring import pack_folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
EVENTS = load_pack(pack_folder("ai_api")).files["events.toml"]
HEAD = """
[pack]
name = "readme"
version = "1"

[[reason]]
code = "signup_burst"
user = "We could not confirm this sign-up."
reviewer = "A burst of sign-ups"
executive = "Many sign-ups at once"

[[segment]]
name = "default"
"""


def rule() -> str:
    """The rule of the README."""
    found = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_rule_passes_its_own_tests() -> None:
    pack = pack_from_texts({"pack.toml": HEAD, "events.toml": EVENTS, "rules.toml": rule()})
    results = run_rule_tests(check_pack(pack, TYPES))
    assert [result.passed for result in results] == [True, True]


def test_the_mistake_is_shown_as_the_readme_shows_it() -> None:
    mistaken = rule().replace("by=ip", "by=acount")
    with pytest.raises(PackError) as caught:
        check_pack(pack_from_texts({"pack.toml": HEAD, "events.toml": EVENTS, "rules.toml": mistaken}), TYPES)
    shown = re.search(r"^    (rules\.toml:.*?)\n\n", README, re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert str(caught.value) == textwrap.dedent("    " + shown[1])


@pytest.mark.parametrize(
    "page", ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
)
def test_every_link_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
