"""Backtests against the engine itself: whatever is computed over columns must be what a replay of each pack decides."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchRule, NothingToCompare, NotRecorded
from fairgate.domain.event import Event, microseconds
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.sources import read_events
from fairgate.kernel.rows import Rows
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.backtest import Material, Report, backtest
from fairgate.pipeline.backtest.report import ActionCount, Affected, Caught, Interventions, RuleResult, headline, share
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.recording import Recording, open_recording
from fairgate.pipeline.replay import Replay

SECRET = 99
START = datetime(2026, 1, 5, tzinfo=UTC)

BASE = """
[pack]
name = "shop"
version = "{version}"
[[reason]]
code = "r"
user = "u"
reviewer = "r"
executive = "e"
[event.pay.attributes]
account = {{ entity = "account", required = true }}
card = {{ entity = "card", personal = true }}
email = {{ type = "email", personal = true }}
ip = {{ type = "ip", entity = "ip" }}
amount = "number"
tier = "text"
[event."pay.label"]
label_of = "pay"
[event."pay.label".attributes]
of = {{ required = true }}
bad = "bool"
[event.dispute]
label_of = "pay"
[event.dispute.attributes]
of = {{ required = true }}
bad = "bool"
[event.login.attributes]
account = {{ entity = "account", required = true }}
ip = {{ type = "ip", entity = "ip" }}
[[list]]
name = "blocked"
entity = "ip"
effect = "hold"
reason = "r"
entries = [{blocked}]
[[list]]
name = "risky"
entries = ["gold"]
[[segment]]
name = "gold"
on = "pay"
when = 'tier == "gold"'
costs = {{ challenge = {{ bad = 25, good = 60 }} }}
[[segment]]
name = "large"
on = "pay"
when = "amount > 40"
costs = {{ throttle = {{ bad = 10, good = 1 }} }}
[[segment]]
name = "default"
"""


def rule(name: str, when: str, **settings: object) -> str:
    """A live rule on `pay` unless told otherwise, as a pack's text."""
    given = {"on": "pay", "score": 3.0, "reason": "r", "mode": "live", **settings}
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
    return "\n".join(["[[rule]]", f'name = "{name}"', f"when = '''{when}'''", *lines])


OLD_RULES = (
    rule("dear", "amount > 60", why="{amount} paid by {account}"),
    rule("often", 'count("pay", by=account, over="1h") >= 4', score=4.0, group="network"),
    rule("banned", 'amount > 90 and count("login", by=account, over="24h") == 0', action="suspend", group="payment"),
    rule("quiet", 'tier in list("risky") and amount > 40', mode="shadow"),
    rule("gone", "amount < 2", action="watch"),
    rule("mail", "email.disposable", action="challenge"),
    rule("both", "dear and not often", score=0.5),
    rule("logins", 'count("login", by=ip, over="1h") >= 3', on=["login", "pay"], action="throttle", daily_cap=9),
)
NEW_RULES = (
    rule("dear", "amount > 50", why="{amount} paid by {account}"),
    rule("often", 'count("pay", by=account, over="1h") >= 4', score=6.0, group="network"),
    rule("banned", 'amount > 90 and count("login", by=account, over="24h") == 0', action="suspend", group="payment"),
    rule("quiet", 'tier in list("risky") and amount > 40'),
    rule("mail", "email.disposable", action="challenge"),
    rule("both", "dear and not often", score=0.5),
    rule("logins", 'count("login", by=ip, over="1h") >= 3', on=["login", "pay"], action="throttle", daily_cap=4),
    rule("fresh", 'count("pay", by=account, over="1h") >= 3 and not known(tier)', action="hold", on=["pay"]),
)


def pack(*rules: str, version: str = "1", blocked: Sequence[str] = (), more: str = "") -> CheckedPack:
    """The shop's pack with these rules."""
    entries = ", ".join(f'"{each}"' for each in blocked)
    text = "\n".join([BASE.format(version=version, blocked=entries), *rules, more])
    return check_pack(pack_from_texts({"pack.toml": text}), TYPES)


OLD = pack(*OLD_RULES, blocked=["203.0.113.1"])
NEW = pack(*NEW_RULES, version="2", blocked=["203.0.113.1", "203.0.113.2"])


def event(number: int, kind: str, moment: datetime, **data: object) -> dict[str, object]:
    """A CloudEvent."""
    known = {name: value for name, value in data.items() if value is not None}
    when = moment.isoformat()
    return {"specversion": "1.0", "id": f"e{number}", "source": "test", "type": kind, "time": when, "data": known}


def some_events(count: int = 1_500) -> list[dict[str, object]]:
    """Three days of a shop; about half the payments get a label, some a second one that says otherwise."""
    draw = random.Random(7)
    events: list[dict[str, object]] = []
    labels: list[tuple[datetime, str, bool | None]] = []
    moment = START
    for number in range(count):
        moment += timedelta(seconds=draw.expovariate(1 / 170))
        while labels and labels[0][0] <= moment:
            _, of, bad = labels.pop(0)
            kind = draw.choice(["pay.label", "dispute"])
            events.append(event(len(events), kind, moment, of=of, bad=bad))
        account = f"a{draw.randrange(15 if draw.random() < 0.7 else 3_000)}"
        ip = f"203.0.113.{draw.randrange(12 if draw.random() < 0.7 else 250)}"
        if draw.random() < 0.3:
            late = moment - timedelta(minutes=draw.choice([0, 0, 0, 50]))
            events.append(event(len(events), "login", late, account=account, ip=ip))
            continue
        amount = round(draw.expovariate(1 / 30), 2)
        email = draw.choice([None, "x@example.com", f"y{number}@mailinator.com"]) if number % 9 == 0 else None
        tier = draw.choice([None, "gold", "silver"])
        paid = event(
            len(events), "pay", moment, account=account, ip=draw.choice([ip, None]), amount=draw.choice([amount, None]),
            tier=tier, email=email, card=f"c{number}",
        )  # fmt: skip
        events.append(paid)
        if draw.random() < 0.5:
            labels.append((moment + timedelta(hours=5), str(paid["id"]), amount > 70))
        if draw.random() < 0.05:
            labels.append((moment + timedelta(hours=5, minutes=2), str(paid["id"]), None))
        if draw.random() < 0.1:
            labels.append((moment + timedelta(hours=5, minutes=1), str(paid["id"]), draw.random() < 0.5))
        labels.sort(key=lambda label: label[:2])
    events.append(event(len(events), "pay.label", moment, of="no such event", bad=True))
    return events


@dataclass(frozen=True)
class Past:
    """Input files, and a recording of them under the old pack."""

    inputs: Path
    recording: Path

    def material(self, scratch: Path, *, recording: bool = True, inputs: bool = False) -> Material:
        return Material(self.recording if recording else None, [self.inputs] if inputs else [], scratch, SECRET)


def written(folder: Path, events: Iterable[Mapping[str, object]]) -> Path:
    path = folder / "events.ndjson"
    path.write_text("\n".join(map(json.dumps, events)), "utf-8")
    return path


def recorded(checked: CheckedPack, inputs: Path, folder: Path) -> Path:
    replay = Replay(checked, SECRET)
    recording = Recording(folder, replay.engine)
    replay.run(read_events([inputs], checked, replay.decoder), recording=recording)
    recording.finish([inputs])
    return folder


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("past")
    inputs = written(folder, some_events())
    return Past(inputs, recorded(OLD, inputs, folder / "recording"))


def judged(checked: CheckedPack, past: Past) -> dict[str, Judged]:
    """What the engine decides on each event, by id."""
    replay = Replay(checked, SECRET)
    engine = Engine(checked, SECRET, Rows)
    taken = [each for batch in read_events([past.inputs], checked, replay.decoder) for each in batch]
    events = [each for each in taken if isinstance(each, Event)]
    assert len(events) == len(taken)
    return {each.event.id: each for each in engine.run(events)}


@dataclass(frozen=True)
class Truth:
    """What a backtest must find, counted from the engine's own decisions."""

    old: dict[str, Judged]
    new: dict[str, Judged]

    def labels(self) -> dict[str, bool]:
        found = {}
        for each in self.old.values():
            if (
                each.event.type in ("pay.label", "dispute")
                and each.event.data.bad is not None
                and each.event.data.of in self.old
            ):
                found[each.event.data.of] = each.event.data.bad
        return found

    def hits(self, side: Mapping[str, Judged], name: str) -> set[str]:
        return {id_ for id_, each in side.items() if name in each.decision.rules}

    def intervened(self, side: Mapping[str, Judged]) -> set[str]:
        return {id_ for id_, each in side.items() if each.decision.action >= Action.THROTTLE}


@pytest.fixture(scope="module")
def truth(past: Past) -> Truth:
    return Truth(judged(OLD, past), judged(NEW, past))


@pytest.fixture(scope="module")
def report(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return backtest(OLD, NEW, past.material(tmp_path_factory.mktemp("scratch")))


def of(report: Report, name: str) -> RuleResult:
    return next(each for each in report.rules if each.name == name)


def test_every_rule_has_the_hits_that_the_engine_gives_it(report: Report, truth: Truth) -> None:
    assert {each.name for each in report.rules} == {each.rule.name for side in (OLD, NEW) for each in side.rules}
    labels = truth.labels()
    for result in report.rules:
        old, new = truth.hits(truth.old, result.name), truth.hits(truth.new, result.name)
        assert result.old is None or result.old.events == len(old)
        assert result.new is None or result.new.events == len(new)
        assert (result.gained.events, result.lost.events) == (len(new - old), len(old - new))
        assert sum(day.old for day in result.days) == len(old)
        assert sum(day.new for day in result.days) == len(new)
        gained = [labels[id_] for id_ in new - old if id_ in labels]
        assert (result.gained.labelled, result.gained.bad) == (len(gained), sum(gained))
        if result.new is not None and result.new.recall is not None:
            assert result.new.recall.part == sum(labels.get(id_, False) for id_ in new)
            assert result.new.recall.whole == sum(labels.values())
    assert sum(each.gained.events for each in report.rules) > 50  # otherwise the test shows nothing
    assert sum(each.lost.events for each in report.rules) > 10


def test_decisions_are_the_engines(report: Report, truth: Truth) -> None:
    old, new = (Counter(each.decision.action.word for each in side.values()) for side in (truth.old, truth.new))
    assert {each.action: (each.old, each.new) for each in report.actions} == {
        action.word: (old[action.word], new[action.word]) for action in Action
    }
    assert {"throttle", "challenge", "hold", "suspend"} <= {each.action for each in report.actions if each.new}
    before, after = truth.intervened(truth.old), truth.intervened(truth.new)
    found = report.interventions
    assert (found.old.events, found.new.events) == (len(before), len(after))
    assert (found.gained.events, found.lost.events) == (len(after - before), len(before - after))
    assert found.gained.events > 0
    assert found.lost.events > 0
    assert sum(day.new for day in found.days) == len(after)
    first = report.first
    assert first is not None
    assert [day.day for day in found.days] == [first.date() + timedelta(number) for number in range(len(found.days))]


def test_those_affected_are_counted_by_entity(report: Report, truth: Truth) -> None:
    before, after = (
        {(kind, getattr(each.event.data, kind)) for each in side.values() for kind in ("account", "ip")
         if each.decision.action >= Action.THROTTLE and getattr(each.event.data, kind, None) is not None}
        for side in (truth.old, truth.new)
    )  # fmt: skip
    assert {each.entity for each in report.affected} == {"account", "ip"}  # a card is personal and not recorded
    for found in report.affected:
        newly = {value for kind, value in after - before if kind == found.entity}
        assert found.newly == len(newly)
        assert set(found.examples) <= newly
        assert found.no_longer == len({value for kind, value in before - after if kind == found.entity})
    assert sum(each.newly for each in report.affected) > 0


def test_nothing_is_computed_that_was_recorded(report: Report) -> None:
    assert report.replays == ()
    how = {each.name: each.how for each in report.rules}
    assert how == {
        "dear": "columns", "both": "columns", "fresh": "columns", "gone": None,
        "often": "recorded", "banned": "recorded", "quiet": "recorded", "mail": "recorded", "logins": "recorded",
    }  # fmt: skip
    assert of(report, "dear").differs == ("condition",)
    assert of(report, "both").differs == ("condition",)  # it names `dear`
    assert of(report, "often").differs == ("score",)
    assert of(report, "quiet").differs == ("mode",)
    assert of(report, "logins").differs == ("daily cap",)
    assert [each.status for each in report.rules] == ["changed"] * 5 + ["added", "removed"] + ["unchanged"] * 2


def test_columns_and_replays_report_the_same(report: Report, past: Past, tmp_path: Path) -> None:
    told: list[str] = []
    replayed = backtest(OLD, NEW, past.material(tmp_path, recording=False, inputs=True), told=told.append)
    assert replayed.replays == ("The old pack, shop 1, was replayed. There is no recording.",)
    assert replace(replayed, replays=()) == report
    assert len(told) == 1


def test_what_was_received_before_a_time_is_left_out(past: Past, tmp_path: Path) -> None:
    since = START + timedelta(days=1)
    late = [each for each in some_events() if datetime.fromisoformat(str(each["time"])) >= since]
    from_recording = replace(past.material(tmp_path), since=since, recording=open_recording(past.recording))
    from_inputs = replace(past.material(tmp_path / "s", recording=False, inputs=True), since=since)
    found, replayed = backtest(OLD, NEW, from_recording), backtest(OLD, NEW, from_inputs)
    assert 0 < found.events == len(late) < len(some_events())
    assert replace(replayed, replays=()) == found
    other = pack(rule("wide", 'distinct(ip, by=account, over="24h") >= 3', why="{distinct}"), version="3")
    both = replace(past.material(tmp_path / "t", inputs=True), since=since)
    wide = of(backtest(OLD, other, both), "wide").new
    truth = [each for each in judged(other, past).values() if each.event.received >= microseconds(since)]
    assert wide is not None
    assert wide.events == sum("wide" in each.decision.rules for each in truth) > 0


def test_a_feature_that_was_not_recorded_needs_the_inputs(past: Past, tmp_path: Path) -> None:
    wide = rule("wide", 'distinct(ip, by=account, over="24h") >= 3', why="{distinct} addresses")
    other = pack(wide, rule("dear", "amount > 60"), version="3")
    with pytest.raises(NotRecorded, match=r"wide needs distinct\(ip, on=\"pay\", by=account, over=\"24h\"\)"):
        backtest(OLD, other, past.material(tmp_path))
    found = backtest(OLD, other, past.material(tmp_path, inputs=True))
    truth = judged(other, past)
    [why] = found.replays
    assert why == (
        "The new pack, shop 3, was replayed. It reads what was not recorded: "
        'wide needs distinct(ip, on="pay", by=account, over="24h").'
    )
    assert of(found, "wide").how == "kernel"
    assert of(found, "wide").new is not None
    assert of(found, "wide").gained.events == sum("wide" in each.decision.rules for each in truth.values()) > 0
    engine = Engine(other, SECRET, Rows)
    assert all(each.why == engine.why(truth[each.id])["wide"] for each in of(found, "wide").gained_examples)
    assert of(found, "dear").gained.events == of(found, "dear").lost.events == 0
    assert {each.action: each.new for each in found.actions}["allow"] == sum(
        each.decision.action == Action.ALLOW for each in truth.values()
    )


def test_a_personal_attribute_is_not_there_but_its_harmless_part_is(past: Past, tmp_path: Path) -> None:
    harmless = pack(rule("free", "not email.disposable"))
    assert of(backtest(OLD, harmless, past.material(tmp_path)), "free").gained.events > 0
    revealing = pack(rule("name", 'email.local == "x"'), rule("one_card", 'card == "c1"'))
    with pytest.raises(NotRecorded, match=r"(?s)name needs email.local.*one_card needs card"):
        backtest(OLD, revealing, past.material(tmp_path))


def test_the_recording_may_be_the_new_packs_or_anothers(past: Past, report: Report, tmp_path: Path) -> None:
    by_new = replace(past, recording=recorded(NEW, past.inputs, tmp_path / "new"))
    turned = backtest(OLD, NEW, by_new.material(tmp_path / "s1"))
    assert of(turned, "dear").gained == of(report, "dear").gained
    assert {each.how for each in turned.rules} == {"recorded", None}
    assert turned.interventions == report.interventions

    third = pack(*OLD_RULES, rule("other", "amount > 1"), version="9", blocked=["203.0.113.1"])
    by_third = replace(past, recording=recorded(third, past.inputs, tmp_path / "third"))
    anew = backtest(OLD, NEW, by_third.material(tmp_path / "s2"))
    assert anew.interventions == report.interventions
    assert "neither of the two, made the recording" in anew.warnings[0]


def test_a_lists_new_entries_count_wherever_the_list_is_asked(past: Past, tmp_path: Path) -> None:
    asks = rule("asks", 'tier in list("risky")')
    gathers = rule("gathers", """count("pay", by=account, over="24h", where=tier in list("risky")) >= 2""")
    more = '[[list]]\nname = "spare"\nentries = []'
    old, new = pack(asks, gathers, more=more), pack(asks, more=more)
    folder = recorded(old, past.inputs, tmp_path / "recording")
    silver = pack_from_texts({"pack.toml": new.pack.files["pack.toml"].replace('["gold"]', '["gold", "silver"]')})
    found = backtest(old, check_pack(silver, TYPES), Material(folder, [], tmp_path / "s", SECRET))
    assert of(found, "asks").how == "columns"
    assert of(found, "asks").gained.events > 100
    both = pack_from_texts({"pack.toml": old.pack.files["pack.toml"].replace('["gold"]', '["gold", "silver"]')})
    with pytest.raises(NotRecorded, match="gathers needs count"):  # the same words, but they gather something else
        backtest(old, check_pack(both, TYPES), Material(folder, [], tmp_path / "s", SECRET))


def test_an_attribute_of_another_type_has_to_be_replayed(past: Past, tmp_path: Path) -> None:
    text = OLD.pack.files["pack.toml"].replace('{ type = "ip", entity = "ip" }', '{ type = "text", entity = "ip" }')
    text = text[: text.index("[[rule]]")] + rule("dear", 'ip == "x"')
    with pytest.raises(NotRecorded, match="dear needs ip"):
        backtest(OLD, check_pack(pack_from_texts({"pack.toml": text}), TYPES), past.material(tmp_path))


def test_examples_carry_the_rules_words(report: Report, truth: Truth) -> None:
    engine = Engine(NEW, SECRET, Rows)
    examples = of(report, "dear").gained_examples
    assert len(examples) == 5
    for example in examples:
        assert example.why == engine.why(truth.new[example.id])["dear"]
        assert example.bad == truth.labels().get(example.id)
    assert list(examples) == sorted(examples, key=lambda each: each.time)


def test_overlap_and_what_a_rule_catches_alone(report: Report, truth: Truth) -> None:
    hits = {each.rule.name: truth.hits(truth.new, each.rule.name) for each in NEW.rules}
    often = of(report, "often")
    others = set().union(*(found for name, found in hits.items() if name != "often"))
    assert often.alone is not None
    assert (often.alone.part, often.alone.whole) == (len(hits["often"] - others), len(hits["often"]))
    assert 0 < often.alone.part < often.alone.whole
    for overlap in often.overlaps:
        both = hits["often"] & hits[overlap.other]
        assert overlap.both == len(both) > 0
        assert overlap.jaccard == len(both) / len(hits["often"] | hits[overlap.other])
    assert {each.other for each in often.overlaps} == {
        name for name, found in hits.items() if name != "often" and found & hits["often"]
    }


def test_a_rule_in_shadow_takes_nothing_from_what_others_catch_alone(past: Past, tmp_path: Path) -> None:
    shadowed = pack(rule("dear", "amount > 60"), rule("same", "amount > 59", mode="shadow"))
    found = backtest(OLD, shadowed, past.material(tmp_path))
    dear, same = of(found, "dear").alone, of(found, "same").alone
    assert dear is not None
    assert same is not None
    assert dear.part == dear.whole > 0
    assert same.part == same.whole - dear.whole


def test_hits_from_before_a_window_had_filled_are_told_apart(report: Report, truth: Truth) -> None:
    early = START + timedelta(hours=24)
    first = min(each.event.time for each in truth.new.values())
    cold = {id_ for id_ in truth.hits(truth.new, "banned") if truth.new[id_].event.time < first + 24 * 3600 * 1_000_000}
    assert 0 < of(report, "banned").cold == len(cold) < len(truth.hits(truth.new, "banned")), early
    assert of(report, "dear").cold == 0


def test_only_the_rules_asked_for_are_reported(past: Past, report: Report, tmp_path: Path) -> None:
    found = backtest(OLD, NEW, past.material(tmp_path), ["fresh"])
    assert found.rules == (of(report, "fresh"),)
    assert found.interventions == report.interventions
    with pytest.raises(NoSuchRule, match="Asked for `freshh`; there are dear"):
        backtest(OLD, NEW, past.material(tmp_path), ["freshh"])


def test_without_a_history_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(NothingToCompare, match="fairgate replay --out"):
        backtest(OLD, NEW, Material(None, [], tmp_path, SECRET))


def test_a_pack_against_itself_changes_nothing(past: Past, tmp_path: Path) -> None:
    found = backtest(OLD, OLD, past.material(tmp_path))
    assert found.headline == "The new pack would have slowed or stopped the same events as the old one."
    assert {each.status for each in found.rules} == {"unchanged"}
    assert found.interventions.old == found.interventions.new
    assert found.warnings == ()
    assert all(each.newly == each.no_longer == 0 for each in found.affected)


def test_the_headline_says_what_changes(report: Report) -> None:
    newly = {each.entity: each.newly for each in report.affected}
    assert report.headline.startswith("The new pack would have slowed or stopped ")
    assert f"Newly affected: {newly['account']} accounts" in report.headline


def caught(events: int, labelled: int = 0, bad: int = 0) -> Caught:
    return Caught(events, labelled, bad, share(bad, labelled), None)


def changed(gained: Caught, lost: Caught) -> Interventions:
    return Interventions(caught(500), caught(500), gained, lost, ())


@pytest.mark.parametrize(
    ("found", "newly", "grave", "words"),
    [
        (
            changed(caught(2_120, 100, 41), caught(0)),
            96,
            0,
            (
                "The new pack would have slowed or stopped 212 more payments a day (41 % of the 100 labelled ones bad)."
                " Newly affected: 96 customers."
            ),
        ),
        (
            changed(caught(1), caught(0)),
            1,
            0,
            "The new pack would have slowed or stopped 1 more payment in 10 days. Newly affected: 1 customer.",
        ),
        (
            changed(caught(30, 4, 4), caught(29, 2, 0)),
            0,
            0,
            (
                "The new pack would have slowed or stopped 30 more payments in 10 days "
                "(100 % of the 4 labelled ones bad), and would have let pass 29 payments in 10 days "
                "that the old pack slowed or stopped "
                "(0 % of the 2 labelled ones bad)."
            ),
        ),
        (
            changed(caught(0), caught(0)),
            0,
            0,
            "The new pack would have slowed or stopped the same events as the old one.",
        ),
        (
            changed(caught(0), caught(0)),
            0,
            12,
            (
                "The new pack would have slowed or stopped the same events as the old one. "
                "Suspended or banned: 14, under the old pack 2."
            ),
        ),
    ],
)
def test_headlines(found: Interventions, newly: int, grave: int, words: str) -> None:
    affected = (Affected("customer", 5, 5, newly, 0, ()), Affected("ip", 5, 5, 0, 3, ()))
    actions = (ActionCount("hold", 500, 400), ActionCount("suspend", 0, grave), ActionCount("ban", 2, 2))
    assert headline(found, actions, affected, 10.0, "payment").replace("\N{NO-BREAK SPACE}", " ") == words


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),  # published values of Wilson's interval
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_shares_have_wilsons_interval(part: int, whole: int, low: float, high: float) -> None:
    found = share(part, whole)
    assert found is not None
    assert (found.part, found.whole, found.value) == (part, whole, part / whole)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
    assert share(0, 0) is None


def test_canaries_and_shadow_rules_are_told_of(past: Past, tmp_path: Path) -> None:
    canary = pack(rule("dear", "amount > 55", mode="canary 50%"), rule("still", "amount > 5", mode="shadow"))
    found = backtest(OLD, canary, past.material(tmp_path))
    assert "Rule dear is a canary in the new pack: there it has no part in the decisions shown." in found.warnings
    assert "Rule still is in shadow in the new pack: it has no part in decisions." in found.warnings
    assert found.interventions.new.events == 0
    assert of(found, "dear").new_mode == "canary 50%"
    live = pack(rule("dear", "amount > 55"))
    turned = backtest(canary, live, Material(recorded(canary, past.inputs, tmp_path / "c"), [], tmp_path / "s", SECRET))
    assert any("were decided otherwise when they were recorded: by canaries" in each for each in turned.warnings)


def test_segments_that_differ_by_themselves_touch_every_event(past: Past, tmp_path: Path) -> None:
    stern = OLD.pack.files["pack.toml"].replace("good = 60 }", "good = 0 }, allow = { bad = 900, good = 1 }")
    stern = stern.replace('tier == "gold"', 'tier in ("gold", "silver")')
    checked = check_pack(pack_from_texts({"pack.toml": stern}), TYPES)
    found = backtest(OLD, checked, past.material(tmp_path))
    truth = judged(checked, past)
    expected = Counter(each.decision.action.word for each in truth.values())
    assert {each.action: each.new for each in found.actions if each.new} == expected
    assert found.interventions.gained.events > 100


def test_a_daily_cap_goes_by_the_logs_clock(tmp_path: Path) -> None:
    midnight = START + timedelta(days=1)
    minutes = {-10: 70, -5: 70, 10: 1, -2: 70}  # the fourth comes late: by the clock it is the next day's first
    events = [
        event(number, "pay", midnight + timedelta(minutes=minute), account="a", amount=amount)
        for number, (minute, amount) in enumerate(minutes.items())
    ]
    past = Past(written(tmp_path, events), tmp_path)
    old, new = (pack(rule("dear", "amount > 60", action="hold", daily_cap=cap)) for cap in (None, 1))
    found = backtest(old, new, past.material(tmp_path / "s", recording=False, inputs=True))
    held = [id_ for id_, each in judged(new, past).items() if each.decision.action == Action.HOLD]
    assert held == ["e0", "e3"]
    assert (found.interventions.old.events, found.interventions.new.events) == (3, 2)


def test_what_is_allowed_uses_up_no_cap(tmp_path: Path) -> None:
    friend = '[[list]]\nname = "friends"\nentity = "account"\neffect = "allow"\nentries = ["friend"]\n'
    accounts = ["friend", "friend", "a", "friend", "b"]
    events = [
        event(number, "pay", START + timedelta(minutes=number), account=account, amount=70)
        for number, account in enumerate(accounts)
    ]
    past = Past(written(tmp_path, events), tmp_path)
    old, new = (pack(friend, rule("dear", "amount > 60", action="hold", daily_cap=cap)) for cap in (None, 1))
    found = backtest(old, new, past.material(tmp_path / "s", recording=False, inputs=True))
    held = [id_ for id_, each in judged(new, past).items() if each.decision.action == Action.HOLD]
    assert held == ["e2"]
    assert (found.interventions.old.events, found.interventions.new.events) == (2, 1)


def test_no_events_at_all(tmp_path: Path) -> None:
    inputs = written(tmp_path, [{"no": "event"}])
    found = backtest(OLD, NEW, Material(None, [inputs], tmp_path / "s", SECRET))
    assert (found.events, found.first, found.last) == (0, None, None)
    assert found.interventions.days == ()
    assert all(each.new is None or each.new.precision is None for each in found.rules)


def test_events_that_only_the_inputs_have_are_left_out(past: Past, tmp_path: Path) -> None:
    some = past.inputs.read_text("utf-8").splitlines()
    half = tmp_path / "half.ndjson"
    half.write_text("\n".join(some[100:900]), "utf-8")
    folder = recorded(OLD, half, tmp_path / "recording")
    other = pack(rule("wide", 'distinct(ip, by=account, over="24h") >= 3'))
    found = backtest(OLD, other, Material(folder, [past.inputs], tmp_path / "s", SECRET))
    assert found.events == 800
    assert f"{len(some) - 800:,} events of the inputs are not in the recording and were left out." in found.warnings
    truth = list(judged(other, past).values())[100:900]
    assert of(found, "wide").gained.events == sum("wide" in each.decision.rules for each in truth)
