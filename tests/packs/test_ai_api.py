"""The pack that ships: its rules' tests hold every clause, and it catches a day's attacks at a bearable price."""

import ast
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
import pytest

from fairgate.decide.costs import cost_table, log_odds_of
from fairgate.domain.action import Action
from fairgate.domain.event import Event, microseconds
from fairgate.domain.pack import Pack, Reason, Rule, Stage
from fairgate.domain.windows import SECOND
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.rows import Rows
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedSegment
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.rule_tests import run_rule_tests
from fairgate.simulate.sample_day import CustomerKind, SampleDay, sample_day

ROOT = Path(__file__).parents[2]
PACK = load_pack(ROOT / "src" / "fairgate" / "packs" / "ai_api")
CHECKED = check_pack(PACK, TYPES)
START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))
RULES = {rule.name: rule for rule in PACK.rules}
#: The rules were tuned on days 1 to 7; what is claimed of them is measured on others.
UNSEEN_DAYS = (101, 102, 103)


def test_every_rule_passes_its_own_tests() -> None:
    results = run_rule_tests(CHECKED)
    assert len(results) == sum(len(rule.tests) for rule in PACK.rules)
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize("rule", PACK.rules, ids=lambda rule: rule.name)
def test_a_rule_is_complete(rule: Rule) -> None:
    assert {test.fires for test in rule.tests} == {True, False}
    assert all(test.about for test in rule.tests)
    assert rule.score > 0
    assert rule.owner
    assert rule.why is not None


def test_most_rules_are_live() -> None:
    stages = Counter(rule.mode.stage for rule in PACK.rules)
    assert stages == {Stage.LIVE: len(PACK.rules) - 3, Stage.CANARY: 1, Stage.SHADOW: 2}


# ----------------------------------------------------------------------------------------------- every clause is needed


@dataclass(frozen=True, slots=True)
class Bystander:
    """An honest event amid abuse: the rule fires before it and must not at it. No test in a pack can say that."""

    rule: str
    abuse: tuple[dict[str, object], ...]
    honest: dict[str, object]


def _burst(**attributes: object) -> tuple[dict[str, object], ...]:
    return tuple(
        {name: value.format(n=number) if isinstance(value, str) else value for name, value in attributes.items()}
        for number in range(1, 7)
    )


TODAY, LAST_YEAR = datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
BYSTANDERS = (
    Bystander(
        "throwaway_burst",
        _burst(account="a{n}", email="b{n}@mailinator.com", ip="198.51.100.{n}"),
        {"account": "honest", "email": "mira@mail.example.net", "ip": "198.51.100.9"},
    ),
    Bystander(
        "same_shape_mailboxes",
        _burst(account="a{n}", email="qwert482{n}@gmail.com", ip="198.51.100.{n}"),
        {"account": "honest", "email": "tomek1234@uni.example.edu", "ip": "198.51.100.9"},
    ),
    Bystander(
        "lockstep_template",
        15 * _burst(account="a{n}", account_created=TODAY, tier="free", prompt_template="t", ip="198.51.100.{n}"),
        {
            "account": "honest",
            "account_created": LAST_YEAR,
            "tier": "free",
            "prompt_template": "t",
            "ip": "198.51.100.9",
        },
    ),
    Bystander(
        "impossible_hours",
        tuple({"account": "a", "tier": "payg", "user_agent": BROWSER, "hours": hour} for hour in range(24)),
        {"account": "a", "tier": "payg", "user_agent": "python-requests/2.32.5", "hours": 24},
    ),
)


def _fired(pack: Pack, bystander: Bystander) -> tuple[bool, bool]:
    """Whether the rule fires before the bystander's event, and at it."""
    rule = next(each for each in pack.rules if each.name == bystander.rule)
    engine = Engine(checked := check_pack(pack, TYPES), 12345, Rows)
    decoder = Decoder(checked, engine.plan.longest)
    events = []
    for number, given in enumerate((*bystander.abuse, bystander.honest)):
        attributes = dict(given)
        time = START + 12 * 3600 * SECOND + number * SECOND + int(str(attributes.pop("hours", 0))) * 3600 * SECOND
        data = msgspec.convert(attributes, decoder.wires[rule.on[0]].data)
        event = decoder.admit(Event("test", str(number), rule.on[0], time, time, data))
        assert isinstance(event, Event), event
        events.append(event)
    hits = [rule.name in judged.decision.rules for judged in engine.run(events)]
    return any(hits[:-1]), hits[-1]


@pytest.mark.parametrize("bystander", BYSTANDERS, ids=lambda bystander: bystander.rule)
def test_an_honest_event_amid_abuse_is_left_alone(bystander: Bystander) -> None:
    assert _fired(PACK, bystander) == (True, False)


def _without_a_clause() -> list[tuple[str, str, str]]:
    """(rule, the clause taken out, the rest) for each rule whose condition is a conjunction."""
    found = []
    for rule in PACK.rules:
        tree = ast.parse(f"({rule.when.source.strip()})", mode="eval").body
        if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
            for clause in tree.values:
                rest = " and ".join(f"({ast.unparse(each)})" for each in tree.values if each is not clause)
                found.append((rule.name, ast.unparse(clause), rest))
    return found


@pytest.mark.parametrize(
    ("name", "clause", "rest"),
    [pytest.param(*each, id=f"{each[0]} without {each[1]}") for each in _without_a_clause()],
)
def test_a_rule_without_one_of_its_clauses_fails_its_tests(name: str, clause: str, rest: str) -> None:
    weaker = replace(RULES[name], when=replace(RULES[name].when, source=rest), why=None)
    others = tuple(replace(rule, tests=()) for rule in PACK.rules if rule.name != name)
    pack = replace(PACK, rules=(weaker, *others))
    caught = any(not result.passed for result in run_rule_tests(check_pack(pack, TYPES)))
    hurt = any(_fired(pack, each)[1] for each in BYSTANDERS if each.rule == name)
    assert caught or hurt, f"nothing holds `{clause}` in {name}: add the innocent twin that it spares"


# ------------------------------------------------------------------------------------------------------ texts and costs


@pytest.mark.parametrize("reason", PACK.reasons.values(), ids=lambda reason: reason.code)
def test_what_users_are_told_gives_no_detector_away(reason: Reason) -> None:
    secrets = r"network|address|device|fingerprint|hour|template|prompt|throwaway|mailbox|score|rule|asn|vpn|\d"
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


# ------------------------------------------------------------------------------------------------------ a day's attacks


@dataclass(frozen=True, slots=True)
class Lived:
    """A sample day with what was decided on it, event by event."""

    day: SampleDay
    judged: tuple[Judged, ...]

    def worst(self, *kinds: CustomerKind) -> dict[str, Action]:
        """The gravest action on each account of these kinds."""
        found: dict[str, Action] = {}
        for each in self.judged:
            account = each.event.data.account
            if self.day.kinds[account] in kinds:
                found[account] = max(found.get(account, Action.ALLOW), each.decision.action)
        return found


@cache
def lived(seed: int) -> Lived:
    day = sample_day(seed, START)
    engine = Engine(CHECKED, seed, Rows)
    decoder = Decoder(CHECKED, engine.plan.longest)
    events = [event for sent in day.events if isinstance(event := decoder.single(sent.body, sent.time), Event)]
    assert len(events) == len(day.events)
    return Lived(day, tuple(engine.run(events)))


@pytest.mark.parametrize("seed", UNSEEN_DAYS)
def test_the_credit_farm_is_challenged(seed: int) -> None:
    worst = lived(seed).worst(CustomerKind.CREDIT_FARM)
    assert sum(action >= Action.CHALLENGE for action in worst.values()) >= 0.9 * len(worst)
    assert sum(action >= Action.HOLD for action in worst.values()) >= 0.3 * len(worst)


@pytest.mark.parametrize("seed", UNSEEN_DAYS)
def test_the_stolen_key_is_slowed_down_within_ten_requests(seed: int) -> None:
    day = lived(seed)
    stolen = [
        each.decision.action
        for each in day.judged
        if each.event.id in day.day.abusive and day.day.kinds[each.event.data.account] == CustomerKind.STOLEN_KEY
    ]
    assert max(stolen[:10]) >= Action.THROTTLE
    assert sum(action >= Action.THROTTLE for action in stolen) >= 0.9 * len(stolen)


def test_fewer_than_one_honest_account_in_a_hundred_is_touched() -> None:
    honest = [kind for kind in CustomerKind if kind.honest]
    worst = [action for seed in UNSEEN_DAYS for action in lived(seed).worst(*honest).values()]
    assert len(worst) > 1_000
    assert sum(action >= Action.THROTTLE for action in worst) < 0.01 * len(worst)
    assert max(worst) < Action.HOLD


def test_nothing_fails_on_the_way() -> None:
    assert all(each.decision.degraded == () for seed in UNSEEN_DAYS for each in lived(seed).judged)


# ----------------------------------------------------------------------------------------------------------- the how-to


def test_the_rule_of_the_how_to_works() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-rule.md").read_text("utf-8")
    rule = "\n".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL))
    head = '[pack]\nname = "how_to"\nversion = "1"\n[[segment]]\nname = "default"\n'
    pack = pack_from_texts({"pack.toml": head, "events.toml": PACK.files["events.toml"], "rules.toml": rule})
    results = run_rule_tests(check_pack(pack, TYPES))
    assert len(results) == 3
    assert all(result.passed for result in results)
