"""Every clause of every rule of the shipped pack is held by a test: taken out, one of the rule's own tests fails."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
import pytest

from fairgate.domain.event import Event
from fairgate.domain.pack import Pack, Text
from fairgate.domain.windows import HOUR, SECOND
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.rows import Rows
from fairgate.language.check_pack import check_pack
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.rule_tests import run_rule_tests
from tests.packs.shipped import PACK, START

RULES = {rule.name: rule for rule in PACK.rules}
FEATURES = {feature.name: feature for feature in PACK.features}


@dataclass(frozen=True, slots=True)
class Bystander:
    """An honest event amid abuse: the rule fires before it and must not at it. No test in a pack can say that."""

    rule: str
    abuse: tuple[dict[str, object], ...]
    honest: dict[str, object]


def _burst(count: int = 6, **attributes: object) -> tuple[dict[str, object], ...]:
    return tuple(
        {name: value.format(n=number) if isinstance(value, str) else value for name, value in attributes.items()}
        for number in range(1, count + 1)
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
        "scripted_signups",
        _burst(12, account="a{n}", asn="64496", tls_fingerprint="t", bot_score=0.95),
        {"account": "honest", "asn": "64496", "tls_fingerprint": "t", "bot_score": 0.1},
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
        "newcomers_share_prompt",
        _burst(12, account="a{n}", account_created=TODAY, tier="free", prompt_template="t", cost=0.5),
        {"account": "honest", "account_created": LAST_YEAR, "tier": "free", "prompt_template": "t", "cost": 0.5},
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
        time = START + 12 * HOUR + number * SECOND + int(str(attributes.pop("hours", 0))) * HOUR
        data = msgspec.convert(attributes, decoder.wires[rule.on[0]].data)
        event = decoder.admit(Event("test", str(number), rule.on[0], time, time, data))
        assert isinstance(event, Event), event
        events.append(event)
    hits = [rule.name in judged.decision.rules for judged in engine.run(events)]
    return any(hits[:-1]), hits[-1]


@pytest.mark.parametrize("bystander", BYSTANDERS, ids=lambda bystander: bystander.rule)
def test_an_honest_event_amid_abuse_is_left_alone(bystander: Bystander) -> None:
    assert _fired(_alone(bystander.rule), bystander) == (True, False)


def _shorter(source: str) -> Iterator[tuple[str, str]]:
    """(what is taken out, the rest) for each side of an `and` or `or`, and each `where=`, however deep."""
    source = f"({source.strip()})"
    for place, node in enumerate(ast.walk(ast.parse(source, mode="eval"))):
        match node:
            case ast.BoolOp(values=parts):
                taken = list(range(len(parts)))
            case ast.Call(keywords=parts):
                taken = [number for number, keyword in enumerate(parts) if keyword.arg == "where"]
            case _:
                continue
        for number in taken:
            copy = ast.parse(source, mode="eval")
            same = list(ast.walk(copy))[place]
            assert isinstance(same, ast.BoolOp | ast.Call)
            out = same.values.pop(number) if isinstance(same, ast.BoolOp) else same.keywords.pop(number)
            yield ast.unparse(out), ast.unparse(copy)


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece taken out of a rule's condition, or out of a feature that it names."""

    rule: str
    feature: str | None
    piece: str
    rest: str

    def __str__(self) -> str:
        return f"{self.rule} without {self.piece}" + (f" in {self.feature}" if self.feature else "")


def _named(source: str) -> set[str]:
    return set(re.findall(r"\w+", source)) & FEATURES.keys()


def _cuts() -> Iterator[Cut]:
    """Several may read the same, as where two aggregates have one condition."""
    for name, rule in RULES.items():
        yield from (Cut(name, None, piece, rest) for piece, rest in _shorter(rule.when.source))
        for feature in sorted(_named(rule.when.source)):
            yield from (Cut(name, feature, piece, rest) for piece, rest in _shorter(FEATURES[feature].value.source))


def _alone(name: str, cut: Cut | None = None) -> Pack:
    """The pack with nothing but one rule and the features it names, so that making its engine is quick."""
    rule, features = RULES[name], [FEATURES[feature] for feature in sorted(_named(RULES[name].when.source))]
    if cut is not None and cut.feature is None:
        rule = replace(rule, when=_text(rule.when, cut.rest))
    features = [
        replace(each, value=_text(each.value, cut.rest)) if cut is not None and each.name == cut.feature else each
        for each in features
    ]
    return replace(PACK, rules=(replace(rule, why=None),), features=tuple(features))


def _text(text: Text, source: str) -> Text:
    return replace(text, source=source, written="")


def test_every_kind_of_piece_is_taken_out() -> None:
    assert set(_shorter("a and (b or count('x', by=c, over='1h', where=d and e) > 1)")) == {
        ("a", "(b or count('x', by=c, over='1h', where=d and e) > 1)"),
        ("b or count('x', by=c, over='1h', where=d and e) > 1", "a"),
        ("b", "a and (count('x', by=c, over='1h', where=d and e) > 1)"),
        ("count('x', by=c, over='1h', where=d and e) > 1", "a and (b)"),
        ("where=d and e", "a and (b or count('x', by=c, over='1h') > 1)"),
        ("d", "a and (b or count('x', by=c, over='1h', where=e) > 1)"),
        ("e", "a and (b or count('x', by=c, over='1h', where=d) > 1)"),
    }


@pytest.mark.parametrize("cut", [pytest.param(cut, id=f"{number} {cut}") for number, cut in enumerate(_cuts())])
def test_a_rule_without_one_of_its_clauses_fails_its_tests(cut: Cut) -> None:
    pack = _alone(cut.rule, cut)
    caught = any(not result.passed for result in run_rule_tests(check_pack(pack, TYPES)))
    hurt = any(_fired(pack, each)[1] for each in BYSTANDERS if each.rule == cut.rule)
    assert caught or hurt, f"nothing holds `{cut}`: add the innocent twin that it spares"
