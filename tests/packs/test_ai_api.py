"""The pack that ships: what it holds, whom it answers, whom it spares, and what it says."""

import re
from collections import Counter

import pytest

from fairgate.decide.costs import cost_table, log_odds_of
from fairgate.domain.action import Action
from fairgate.domain.pack import EventType, Reason, Rule, Stage
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedSegment
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.rule_tests import run_rule_tests
from tests.packs.shipped import CHECKED, PACK, ROOT

#: Each archetype of the adversaries, with the files of rules that answer it.
ARCHETYPES = {
    "free-credit farmer": (
        "rules_farm_signup.toml",
        "rules_farm_credits.toml",
        "rules_farm_work.toml",
        "rules_challenge.toml",
    ),
    "reseller, relay pool": ("rules_relay.toml",),
    "stolen cards, card testing": ("rules_card.toml",),
    "account takeover, leaked key": ("rules_takeover.toml", "rules_key.toml"),
    "distiller": ("rules_distil.toml",),
    "unsupported region": ("rules_region.toml",),
    "referral abuser": ("rules_referral.toml",),
    "seat sharer": ("rules_seat.toml",),
    "repeat violator": ("rules_return.toml",),
}
#: Honest people who look like one, by the words that name them in a test that must not fire.
LOOK_ALIKES = {
    "CGNAT": r"CGNAT",
    "campus": r"campus|university|class\b|school|student",
    "family": r"family",
    "agency": r"agency",
    "hackathon": r"hackathon",
    "power user": r"power user",
    "traveller": r"traveller",
    "open-source client": r"open-source client",
    "VPN user": r"VPN",
    "enterprise": r"enterprise",
    "start-up": r"start-up",
    "mistyped": r"mistype",
    "shared card": r"(family|agency).*card|card.*(family|agency)",
}
EVENT_TYPES = (
    "account.signup", "account.login", "account.verified", "password.reset", "payment.method_added", "payment.charged",
    "challenge.passed", "challenge.failed", "challenge.expired",
    "payment.disputed", "credits.granted", "credits.spent", "key.created", "key.revoked", "api.request",
    "policy.flagged", "referral.claimed", "member.invited", "account.label",
)  # fmt: skip


def test_every_rule_passes_its_own_tests() -> None:
    results = run_rule_tests(CHECKED)
    assert len(results) == sum(len(rule.tests) for rule in PACK.rules)
    assert [result for result in results if not result.passed] == []


# ---------------------------------------------------------------------------------------------------------- what it has


def test_its_event_types_are_those_of_an_ai_api() -> None:
    assert set(PACK.event_types) == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", PACK.event_types.values(), ids=lambda event_type: event_type.name)
def test_an_event_type_names_its_account_and_says_what_happened(event_type: EventType) -> None:
    account = event_type.attribute("account")
    assert account is not None
    assert account.entity == "account"
    assert account.required is (not event_type.label_of)
    assert event_type.about


def test_what_identifies_a_person_is_personal_in_every_event_type() -> None:
    attributes = [each for event_type in PACK.event_types.values() for each in event_type.attributes]
    assert all(each.personal for each in attributes if each.entity in ("email", "phone", "ip", "device", "card"))


def test_it_has_depth() -> None:
    features = {aggregate.text for read in CHECKED.read.values() for aggregate in read.values()}
    assert len(PACK.rules) >= 35
    assert len(features) >= 45


@pytest.mark.parametrize("rule", PACK.rules, ids=lambda rule: rule.name)
def test_a_rule_is_complete(rule: Rule) -> None:
    assert {test.fires for test in rule.tests} == {True, False}
    assert all(test.about for test in rule.tests)
    assert rule.score > 0
    assert rule.owner
    assert rule.why is not None
    assert rule.daily_cap is not None
    assert max(rule.actions.values()) <= Action.HOLD, "a grave action needs two kinds of evidence"


def test_most_rules_are_live() -> None:
    stages = Counter(rule.mode.stage for rule in PACK.rules)
    assert stages[Stage.LIVE] >= 0.75 * len(PACK.rules)
    assert stages[Stage.CANARY] >= 1
    assert stages[Stage.SHADOW] >= 1


# ------------------------------------------------------------------------------------------- whom it answers and spares


def test_every_file_of_rules_answers_one_archetype() -> None:
    files = [file for files in ARCHETYPES.values() for file in files]
    assert len(files) == len(set(files))
    assert {rule.place.file for rule in PACK.rules} == set(files)


@pytest.mark.parametrize("archetype", ARCHETYPES)
def test_an_archetype_meets_three_rules_and_its_look_alike_none(archetype: str) -> None:
    rules = [rule for rule in PACK.rules if rule.place.file in ARCHETYPES[archetype]]
    spared = {name for name, words in LOOK_ALIKES.items() for rule in rules if _spares(rule, words)}
    assert len(rules) >= 3
    assert len(spared) >= 2, spared


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_an_honest_look_alike_is_spared_by_name(name: str) -> None:
    assert sum(_spares(rule, LOOK_ALIKES[name]) for rule in PACK.rules) >= 2


def _spares(rule: Rule, words: str) -> bool:
    return any(re.search(words, test.about) for test in rule.tests if not test.fires)


@pytest.mark.parametrize("file", [file for files in ARCHETYPES.values() for file in files])
def test_a_file_says_whom_it_answers_and_what_to_expect_next(file: str) -> None:
    head = PACK.files[file].partition("\n\n")[0]
    assert head.startswith("# Answers ")
    assert "Expect" in head
    assert "next:" in head


# ------------------------------------------------------------------------------------------------------ texts and costs


@pytest.mark.parametrize("reason", PACK.reasons.values(), ids=lambda reason: reason.code)
def test_what_users_are_told_gives_no_detector_away(reason: Reason) -> None:
    secrets = (
        r"network|address|device|fingerprint|hour|template|prompt|throwaway|mailbox|score|rule|asn|vpn|clock|zone"
        r"|exit|linked|banned|telephone|number|guest|\d"
    )
    assert re.search(secrets, reason.user, re.IGNORECASE) is None


def test_every_reason_is_given_by_a_rule() -> None:
    assert {rule.reason for rule in PACK.rules} == set(PACK.reasons)


@pytest.mark.parametrize("segment", CHECKED.segments, ids=lambda segment: segment.segment.name)
def test_costs_lead_from_mild_to_grave_and_the_comments_say_where(segment: CheckedSegment) -> None:
    spec = segment.segment
    table = cost_table(spec.costs)
    assert table.actions == tuple(Action)
    assert table.cheapest(log_odds_of(PACK.prior)) == Action.ALLOW
    text = PACK.files["costs.toml"].partition(f'name = "{spec.name}"')[2].partition("[[segment]]")[0]
    said = {Action[word.upper()]: float(percent) for word, percent in re.findall(r"(\w+) = .*# from ([\d.]+) %", text)}
    meant = dict(zip(table.actions[1:], table.thresholds, strict=True))
    assert said.keys() == meant.keys()
    for action, percent in said.items():
        assert log_odds_of(percent / 100) == pytest.approx(meant[action], abs=0.25), action


def test_a_segment_is_looked_for_wherever_the_tier_is_known() -> None:
    known = {name for name, event_type in PACK.event_types.items() if event_type.attribute("tier") is not None}
    assert all(set(segment.on) == known for segment in PACK.segments if segment.on)


# ----------------------------------------------------------------------------------------------------------- the how-to


def test_the_rule_of_the_how_to_works() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-rule.md").read_text("utf-8")
    rule = "\n".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    head = '[pack]\nname = "how_to"\nversion = "1"\n[[segment]]\nname = "default"\n'
    pack = pack_from_texts({"pack.toml": head, "events.toml": PACK.files["events.toml"], "rules.toml": rule})
    results = run_rule_tests(check_pack(pack, TYPES))
    assert len(results) == 3
    assert all(result.passed for result in results)
