"""What is made of a sound pack; the faults are in test_errors.py."""

from pathlib import Path

import pytest

from fairgate.domain.action import Action
from fairgate.domain.pack import Mode, Stage
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import DEFAULT_COSTS, check_pack
from fairgate.language.checked import CheckedPack, attr_of
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.tree import Kind

PACKS = Path(__file__).parents[2] / "packs"
BASE = (PACKS / "base.toml").read_text("utf-8")
RICH = (PACKS / "rich.toml").read_text("utf-8")


def checked(more: str, base: str = BASE) -> CheckedPack:
    return check_pack(pack_from_texts({"base.toml": base, "more.toml": more}), TYPES)


def rule(name: str, when: str, *lines: str, on: str = '"account.signup"') -> str:
    return "\n".join(["[[rule]]", f'name = "{name}"', f"on = {on}", f"when = '{when}'", *lines])


@pytest.fixture(scope="module")
def rich() -> CheckedPack:
    return check_pack(pack_from_texts({"rich.toml": RICH, "friends.txt": "acct_1 # me\n\nacct_2\n"}), TYPES)


def test_everything_in_the_rich_pack_is_read(rich: CheckedPack) -> None:
    pack = rich.pack
    assert (pack.name, pack.prior, len(pack.digest)) == ("rich", 0.02, 16)
    assert pack.event_types["account.label"].label_of == ("account.signup",)
    assert pack.lists["friends"].entries == ("acct_1", "acct_2")
    assert [spec.name for spec in rich.acting_lists()] == ["friends"]
    burst = pack.rules[0]
    assert (burst.mode, burst.actions) == (Mode(Stage.CANARY, 0.125), {"account.signup": Action.CHALLENGE})
    assert (burst.daily_cap, burst.group, burst.owner) == (100, "network", "abuse")
    assert [len(test.places) for test in burst.tests] == [1, 1]
    assert pack.rules[2].actions == {"api.request": Action.HOLD}
    assert pack.source is not None
    assert pack.source.events[0].delay == 7 * 86_400_000_000


def test_two_packs_differ_by_any_change() -> None:
    one, two = pack_from_texts({"a.toml": BASE}), pack_from_texts({"a.toml": BASE + "\n"})
    assert one.digest != two.digest
    assert pack_from_texts({"a.toml": BASE}).digest == one.digest


def test_a_rule_comes_after_those_it_names() -> None:
    pack = checked("\n".join([rule("a", "b and not c"), rule("b", "c"), rule("c", "verified")]))
    assert [each.rule.name for each in pack.rules_on("account.signup")] == ["throwaway", "c", "b", "a"]


def test_what_is_read_is_recorded_once_under_the_features_name() -> None:
    window = 'count("account.signup", by=ip, over="1h")'
    why = "why = '''{since(\"api.request\", by=account)} seconds'''"
    pack = checked(rule("a", f"{window} > 5 and signups > 6 and known(last(country, by=ip))", why))
    assert list(pack.read["account.signup"]) == [
        "signups",
        'last(country, on="account.signup", by=ip)',
        'since("api.request", by=account)',
    ]
    assert dict(pack.read["api.request"]) == {}


def test_a_canary_is_drawn_on_an_entity_that_all_event_types_share() -> None:
    event = '[event.ping.attributes]\nip = { type = "ip", entity = "ip" }\naccount = "text"\n'
    pack = checked(event + rule("a", "hour(time) < 6", 'mode = "canary 5%"', on='["account.signup", "ping"]'))
    assert pack.rules[-1].by == attr_of("ip", "ip")


def test_by_names_another_entity() -> None:
    assert checked(rule("a", "verified", 'by = "email"')).rules[-1].by == attr_of("email", "email")


@pytest.mark.parametrize(
    ("mode", "stage", "fraction"), [("shadow", "shadow", 0), ("live", "live", 1), ("canary 0.5%", "canary", 0.005)]
)
def test_modes(mode: str, stage: str, fraction: float) -> None:
    assert checked(rule("a", "verified", f'mode = "{mode}"')).rules[-1].rule.mode == Mode(Stage(stage), fraction)


def test_a_segment_has_the_costs_it_does_not_give_from_the_default_one() -> None:
    costs = "[segment.costs]\nhold = { bad = 1, good = 2 }\n"
    segments = f'[[segment]]\nname = "x"\non = "account.signup"\nwhen = "verified"\n{costs}\n'
    default = BASE + "[segment.costs]\nban = { bad = 3, good = 4 }\n"
    pack = check_pack(pack_from_texts({"a.toml": segments, "b.toml": default}), TYPES)
    first, last = (each.segment.costs for each in pack.segments)
    assert (first[Action.HOLD], first[Action.BAN], first[Action.WATCH]) == ((1, 2), (3, 4), DEFAULT_COSTS[Action.WATCH])
    assert last[Action.HOLD] == DEFAULT_COSTS[Action.HOLD]


def test_entities_are_those_of_the_event_type(rich: CheckedPack) -> None:
    entities = rich.entities(rich.pack.event_types["api.request"])
    assert entities == (("account", attr_of("account", "text")), ("ip", attr_of("ip", "ip")))
    assert attr_of("n", "integer").kind == Kind.NUMBER


def test_a_template_is_words_and_values(rich: CheckedPack) -> None:
    why = rich.rules[0].why
    assert why is not None
    assert why.words == ("", " sign-ups, ", " from ", ", {really}")
    assert [node.kind for node in why.values] == [Kind.NUMBER, Kind.NUMBER, Kind.TEXT]
