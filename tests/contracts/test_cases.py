"""The contract of cases, their queue and their feed, over every data base, against a naive model; and mutants."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import case_rows
from fairgate.backends.sql import cases as module
from fairgate.backends.sql.cases import SqlCaseFeed, SqlCaseIntake, SqlCaseQueue, SqlCases
from fairgate.domain.action import Action
from fairgate.domain.case import Case, CaseState, Claim, Facts, Finding, Happening, Outcome, Verdict
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.parting import Part, Parting
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import Stake, value_per_minute
from fairgate.ports.cases import Came, CasesWanted, Opened, Waiting
from tests.contracts.opened_records import (
    CaseFile,
    OpenCases,
    case_file,
    in_postgres,
    on_every_data_base,
    open_sql_cases,
)
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(case_file)

NOW = 1_796_000_000_000_000
ACCOUNTS = ("a", "b", "c", "d")
CALLERS, REFS = ("ann", "bob"), ("", "1", "2 ✓")
TIMES = (NOW, NOW + MINUTE, NOW + HOUR, NOW + 24 * HOUR)
OWN = Facts(Stake(0.1, 7.0, 9.0, 5.0, 1.0, Action.HOLD, 9.0, NOW), Action.BAN, ("own",), ("rule_9",), (1,))
#: Three quarters of what they burn stay, a half of what is at risk, and nothing of the worth.
PARTING = Parting(Part(0.75, 0.5, 0.0), Part(0.25, 0.5, 1.0, OWN))
OTHER = Facts(Stake(0.0, 0.0, 24.0, 0.0, 300.0, Action.ALLOW, 5.0))

times = st.sampled_from(TIMES)
stakes = st.builds(
    Stake,
    probability=st.sampled_from([0.1, 0.5, 0.65, 0.9]),
    burn=st.sampled_from([0.0, 1.0, 30.0]),
    hours=st.just(24.0),
    at_risk=st.sampled_from([0.0, 100.0]),
    worth=st.sampled_from([50.0, 300.0]),
    stands=st.sampled_from([Action.ALLOW, Action.HOLD]),
    minutes=st.sampled_from([2.5, 5.0]),
    at=times,
)
#: Which of the cases that there ever were, from the newest.
which = st.integers(0, 5)
opening = st.builds(
    Case,
    number=st.sampled_from([-1, 1, 99]),
    accounts=st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=2, unique=True).map(tuple),
    facts=st.builds(Facts, stake=stakes),
    opened=times,
    opened_by=st.sampled_from(CALLERS),
    why=st.sampled_from(["", "zwei ✓\n😀", "['\"\\"]),
    ref=st.sampled_from(REFS),
)
VERDICT = Verdict(Outcome.BAD, Action.BAN, ("farm",), 0.9, NOW, "ann", "so")
changes = st.sampled_from(
    [
        {"claim": Claim("ann", NOW + MINUTE)},
        {"claim": Claim("bob", NOW + 2 * HOUR)},
        {"claim": None},
        {"snoozed_until": NOW + HOUR},
        {"escalated": True},
        {"escalated": False, "barred": ("bob",), "propensity": 0.25},
        {"state": CaseState.DECIDED, "verdict": VERDICT},
    ]
)
findings = st.builds(
    Finding,
    account=st.sampled_from(ACCOUNTS),
    event=st.integers(0, 3),  # how many before the end of what is read
    at=times,
    action=st.sampled_from([Action.HOLD, Action.BAN]),
    stake=stakes,
    reasons=st.sampled_from([("burst",), ("farm", "card")]),
    evidence=st.sampled_from([(), ("rule_1",)]),
)
Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = (
    st.tuples(st.just("open"), opening)
    | st.tuples(st.just("open all"), st.lists(opening, max_size=4))
    | st.tuples(st.just("store"), st.tuples(which, changes, st.sampled_from([0, 0, 0, 1])))
    | st.tuples(st.just("merge"), st.tuples(which, which, times))
    | st.tuples(st.just("split"), st.tuples(which, st.booleans(), times))
    | st.tuples(
        st.just("feed"),
        st.tuples(
            st.integers(-1, 4),
            st.lists(findings, max_size=3),
            st.dictionaries(st.sampled_from(ACCOUNTS), stakes, max_size=2),
            times,
        ),
    )
    | st.tuples(st.just("rank"), st.tuples(times, times, st.sampled_from([1, 9])))
)


class Ask(NamedTuple):
    """What is asked for after a step."""

    wanted: CasesWanted
    after: int
    limit: int
    now: int


wanteds = st.builds(
    CasesWanted,
    state=st.none() | st.sampled_from(CaseState),
    account=st.none() | st.sampled_from(ACCOUNTS),
    claimed_by=st.none() | st.sampled_from(CALLERS),
    escalated=st.none() | st.booleans(),
)
ALL = Ask(CasesWanted(), -1, 100, NOW)
asks = st.just(ALL) | st.builds(Ask, wanteds, st.just(-1) | which, st.sampled_from([1, 2, 100]), times)
Session = list[tuple[Step, Ask]]
#: The data base is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(STEPS, asks), min_size=1, max_size=10), min_size=1, max_size=3
)


@dataclass
class Naive:
    """Cases in memory. `following` is the number that the next gets."""

    following: int = 1
    fed: int = 0
    kept: dict[int, Case] = field(default_factory=dict)
    ranked: dict[int, tuple[int, float]] = field(default_factory=dict)
    happened: dict[int, list[Happening]] = field(default_factory=dict)

    def about(self, accounts: Sequence[str]) -> Case | None:
        found = [each for each in self.kept.values() if each.state == CaseState.OPEN]
        return next((each for each in found if set(each.accounts) & set(accounts)), None)

    def open(self, asked: Case) -> Opened:
        mine = [
            each
            for each in self.kept.values()
            if asked.ref and (each.opened_by, each.ref) == (asked.opened_by, asked.ref)
        ]
        there = mine[0] if mine else self.about(asked.accounts)
        if there is not None:
            return Opened(there, new=False)
        return Opened(
            self.add(asked, asked.opened, Happening(asked.opened, asked.opened_by, "opened", asked.why)), new=True
        )

    def add(self, case: Case, now: int, happening: Happening) -> Case:
        number, self.following = self.following, self.following + 1
        self.kept[number] = replace(case, number=number)
        self.happened[number] = [happening]
        self.value(number, now)
        return self.kept[number]

    def value(self, number: int, now: int) -> None:
        self.ranked[number] = (now, value_per_minute(self.kept[number].facts.stake.faded(now)))

    def store(self, case: Case, happening: Happening) -> bool:
        there = self.kept.get(case.number)
        if there is None or there.version != case.version - 1:
            return False
        self.kept[case.number] = replace(case, facts=there.facts)
        self.happened[case.number].append(happening)
        return True

    def feed(self, upto: int, found: Sequence[Finding], used: Mapping[str, Stake], now: int) -> None:
        if upto <= self.fed:
            return
        before, self.fed = self.fed, upto
        for finding in found:
            if finding.event < before:
                continue
            there = self.about([finding.account])
            if there is None:
                case = Case(-1, (finding.account,), Facts(finding.stake).fed(finding), finding.at)
                self.add(case, now, Happening(finding.at, "", "opened", ""))
            else:
                self.kept[there.number] = replace(there, facts=there.facts.fed(finding))
                self.value(there.number, now)
        for account, stake in used.items():
            there = self.about([account])
            if there is not None:
                later = max(there.facts.stake.at, stake.at)
                burn = there.facts.stake.faded(later).burn + stake.faded(later).burn
                burns = replace(there.facts.stake, burn=burn, at=later)
                self.kept[there.number] = replace(there, facts=replace(there.facts, stake=burns))
                self.value(there.number, now)

    def ready(self, now: int, *, escalated: bool) -> list[Case]:
        found = [each for each in self.kept.values() if each.state == CaseState.OPEN and each.escalated is escalated]
        return [each for each in found if each.ready_at <= now]

    def best(self, now: int, *, escalated: bool) -> list[Case]:
        return sorted(
            self.ready(now, escalated=escalated), key=lambda each: (-self.ranked[each.number][1], -each.number)
        )


class Story:
    """Takes steps with cases and their model."""

    def __init__(self) -> None:
        self.model = Naive()

    def step(self, file: CaseFile, step: Step) -> None:
        model = self.model
        match step:
            case "open", asked:
                self._opened(asked, file.cases.open(asked))
            case "open all", several:
                for asked, opened in zip(several, file.intake.open(several), strict=True):
                    self._opened(asked, opened)
            case "store", (place, change, late):
                chosen = self._chosen(place)
                if chosen is not None:
                    case = replace(chosen, version=chosen.version + 1 + late, facts=OTHER, **change)
                    happening = Happening(NOW, "ann", "changed", f"{len(model.happened[chosen.number])}")
                    assert file.cases.store(case, [happening]) is model.store(case, happening)
            case "merge", (one, other, now):
                self._merge(file, self._chosen(one), self._chosen(other), Happening(now, "ann", "merged", ""))
            case "split", (place, late, now):
                self._split(file, self._chosen(place), Happening(now, "ann", "split", ""), late=late)
            case "feed", (further, found, used, now):
                upto = model.fed + further
                placed = [replace(each, event=max(0, upto - 1 - each.event)) for each in found]
                before = max(model.kept, default=0)
                file.feed.feed(upto, placed, used, now)
                model.following = max(before + 1, model.following)
                model.feed(upto, placed, used, now)
            case "rank", (now, before, limit):
                self._rank(file, now, before, limit)

    def _opened(self, asked: Case, opened: Opened) -> None:
        if opened.new:  # learn its number: greater than all before
            assert opened.case.number > max(self.model.kept, default=0)
            self.model.following = opened.case.number
        assert opened == self.model.open(asked)

    def _rank(self, file: CaseFile, now: int, before: int, limit: int) -> None:
        model = self.model
        stale = sorted((at, n) for n, (at, _) in model.ranked.items() if model.kept[n].state == CaseState.OPEN)
        stale = [each for each in stale if each[0] < before]
        if limit > len(stale):  # else any of those that were valued at one time may be among the first
            assert file.queue.rank(now, before, limit) == len(stale)
            for _, number in stale:
                model.value(number, now)

    def _merge(self, file: CaseFile, kept: Case | None, merged: Case | None, happening: Happening) -> None:
        if kept is None or merged is None:
            return
        model = self.model
        if kept.number == merged.number or kept.state != CaseState.OPEN or merged.state != CaseState.OPEN:
            if kept.number == merged.number:
                again = replace(kept, version=kept.version + 1)
                assert not file.cases.merge(again, again, [happening])
            return
        accounts = tuple(dict.fromkeys((*kept.accounts, *merged.accounts)))
        new = replace(kept, accounts=accounts, version=kept.version + 1)
        old = replace(merged, state=CaseState.MERGED, merged_into=kept.number, version=merged.version + 1)
        assert not file.cases.merge(new, replace(old, version=old.version + 1), [happening])
        assert not file.cases.merge(replace(new, version=new.version + 1), old, [happening])
        assert file.cases.merge(new, old, [happening])
        joined = kept.facts.joined(merged.facts, happening.at)
        for each in (old, new):
            assert model.store(each, happening)
        model.kept[kept.number] = replace(new, facts=joined)
        model.value(kept.number, happening.at)

    def _split(self, file: CaseFile, case: Case | None, happening: Happening, *, late: bool) -> None:
        if case is None or case.state != CaseState.OPEN or len(case.accounts) < 2:
            return
        model, now = self.model, happening.at
        left = replace(case, accounts=case.accounts[:1], facts=OTHER, version=case.version + 1 + late)
        made = Case(-1, case.accounts[1:], OTHER, now, "ann", "so", split_from=case.number)
        told: list[int] = []

        def tell(number: int) -> list[Happening]:
            told.append(number)
            return [replace(happening, said=str(number))]

        number = file.cases.split(left, made, PARTING, tell)
        if late:
            assert (number, told) == (None, [])
            return
        assert number is not None
        assert number > max(model.kept)
        happening, model.following = replace(happening, said=str(number)), number
        whole = case.facts.stake.faded(now)
        stays = replace(whole, burn=whole.burn * 0.75, at_risk=whole.at_risk * 0.5, worth=0.0)
        goes = replace(whole, probability=0.1, burn=whole.burn * 0.25, at_risk=whole.at_risk * 0.5, stands=Action.HOLD)
        gone, events = replace(OWN, stake=goes, events=()), case.facts.events
        if 1 in events:
            gone, events = replace(gone, events=(1,)), tuple(each for each in events if each != 1)
        model.kept[case.number] = replace(left, facts=replace(case.facts, stake=stays, events=events))
        model.happened[case.number].append(happening)
        model.value(case.number, now)
        model.add(replace(made, facts=gone), now, happening)

    def check(self, file: CaseFile, ask: Ask) -> None:
        wanted, place, limit, now = ask
        model, chosen = self.model, self._chosen(place) if place >= 0 else None
        after = -1 if chosen is None else chosen.number
        found = [each for each in model.kept.values() if each.number > after and _wanted(each, wanted)]
        assert file.cases.found(wanted, after, limit) == found[:limit]
        for number in (*model.kept, 0, 77):
            assert file.cases.get(number) == model.kept.get(number)
            assert file.cases.history(number) == model.happened.get(number, [])
        for escalated in (False, True):
            best = model.best(now, escalated=escalated)
            assert file.queue.best(now, escalated=escalated, after=None, limit=limit) == best[:limit]
            for at, each in enumerate(best):
                behind = file.queue.best(now, escalated=escalated, after=each, limit=limit)
                assert behind == best[at + 1 : at + 1 + limit]
        for uncertain in (False, True):
            ready = [each for each in model.ready(now, escalated=False) if each.facts.stake.uncertain or not uncertain]
            assert file.queue.counted(now, uncertain=uncertain) == len(ready)
            nth = [file.queue.nth(now, at, uncertain=uncertain) for at in range(len(ready) + 1)]
            assert nth == [*sorted(ready, key=lambda each: each.number), None]
        asked = [*ACCOUNTS[1:], "e", *(f"stranger {each}" for each in range(600))]
        about = {account: there.number for account in asked[:4] if (there := model.about([account])) is not None}
        assert file.intake.about(asked[::-1]) == about
        waiting = [each for each in model.kept.values() if each.state == CaseState.OPEN]
        assert file.queue.waiting(now) == Waiting(
            len(waiting),
            sum(each.ready_at <= now for each in waiting),
            min((each.opened for each in waiting), default=0),
            sum(each.facts.stake.minutes for each in waiting),
        )
        kept = [each for each in model.ready(now, escalated=False) if each.propensity < 1]
        assert file.queue.kept(now, limit) == sorted(kept, key=lambda each: each.number)[:limit]
        alone = [each.opened for each in model.kept.values() if each.state != CaseState.MERGED]
        for since, until in ((0, now), (now, now + 1), (now, now + HOUR)):
            by_hour = Counter(at // HOUR for at in alone if since <= at < until)
            assert file.queue.came(since, until) == Came(min(alone, default=0), by_hour)
        assert file.feed.fed() == model.fed
        burning = {account: each.facts.stake for each in waiting if each.number > after for account in each.accounts}
        assert file.feed.burning(after) == (max(model.kept, default=0), burning)

    def _chosen(self, place: int) -> Case | None:
        """One from the newest on; None beyond the oldest."""
        kept = self.model.kept
        return kept[sorted(kept)[-1 - place]] if place < len(kept) else None


def _wanted(case: Case, wanted: CasesWanted) -> bool:
    return (
        wanted.state in {None, case.state}
        and (wanted.account is None or wanted.account in case.accounts)
        and (wanted.claimed_by is None or (case.claim is not None and case.claim.by == wanted.claimed_by))
        and wanted.escalated in {None, case.escalated}
    )


def follows_the_model(opened: OpenCases, folder: Path, sessions: Sequence[Session]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as file:
            story.check(file, ALL)
            for step, ask in session:
                story.step(file, step)
                story.check(file, ask)


def stake(probability: float, burn: float) -> Stake:
    return Stake(probability, burn, 24.0, 50.0, 300.0, Action.ALLOW, 5.0, NOW)


def opened(account: str, probability: float = 0.5, burn: float = 10.0, ref: str = "") -> Case:
    return Case(-1, (account,), Facts(stake(probability, burn)), NOW, "ann", "look", ref)


STILL_OPEN = CasesWanted(CaseState.OPEN)
FOUND = Finding("c", 0, NOW, Action.HOLD, stake(0.9, 0.0), ("burst",), ("rule_1",))
STORY: list[Session] = [
    [
        (("open", opened("a", ref="1")), ALL),
        (("open", opened("b", 0.9, 2.0, ref="2")), ALL._replace(limit=1)),
        (("open all", [opened("b"), opened("e"), opened("e"), opened("f", ref="2")]), ALL),
        (("store", (0, {"state": CaseState.DECIDED, "verdict": VERDICT}, 0)), ALL),
        (("open", opened("d", ref="2")), ALL),  # its ref is another's
        (("open", opened("a")), ALL),  # one about it is open
        (("feed", (3, [FOUND, replace(FOUND, account="d", event=2), FOUND], {"a": stake(0.0, 20.0)}, NOW)), ALL),
        (("feed", (2, [replace(FOUND, event=3, action=Action.BAN), replace(FOUND, event=1)], {}, NOW)), ALL),
        (("feed", (0, [FOUND], {"a": stake(0.0, 0.0)}, NOW)), ALL),
        (("store", (0, {"claim": Claim("ann", NOW + MINUTE)}, 0)), ALL),
        (("store", (0, {"claim": None}, 1)), Ask(CasesWanted(None, None, "ann"), -1, 9, NOW + MINUTE)),
        (("store", (1, {"escalated": True}, 0)), Ask(CasesWanted(escalated=True), -1, 9, NOW)),
        (("rank", (NOW + 24 * HOUR, NOW + 1, 9)), Ask(CasesWanted(None, "a"), 2, 9, NOW + HOUR)),
    ],
    [
        (("store", (2, {"state": CaseState.DECIDED, "verdict": VERDICT}, 0)), ALL._replace(wanted=STILL_OPEN)),
        (("store", (3, {"propensity": 0.25}, 0)), ALL._replace(now=NOW + MINUTE)),
        (("store", (3, {"claim": Claim("bob", NOW + MINUTE)}, 0)), ALL._replace(now=NOW)),
        (("merge", (0, 3, NOW + HOUR)), ALL._replace(now=NOW + HOUR)),
        (("feed", (4, [replace(FOUND, account="b")], {"b": stake(0.0, 5.0), "a": stake(0.0, 7.0)}, NOW + HOUR)), ALL),
        (("split", (1, True, NOW + HOUR)), ALL),
        (("open", opened("b", 0.65, 30.0)), ALL._replace(now=NOW + HOUR)),
        (("split", (0, False, NOW + HOUR)), ALL._replace(now=NOW + HOUR)),
        (("split", (1, False, NOW + 2 * HOUR)), ALL._replace(now=NOW + 2 * HOUR)),
        (("split", (2, False, NOW + 2 * HOUR)), ALL._replace(now=NOW + 2 * HOUR)),
        (("rank", (NOW + 24 * HOUR, NOW + HOUR, 9)), ALL._replace(now=NOW + 24 * HOUR)),
    ],
    [
        (("open", replace(opened("e"), opened=NOW - HOUR)), ALL),
        (("open", opened("f")), ALL),
        (("store", (0, {"propensity": 0.25}, 0)), ALL),
        (("store", (1, {"propensity": 0.25}, 0)), ALL._replace(limit=1)),
        (("merge", (0, 1, NOW)), ALL),
    ],
]  # fmt: skip
#: A case of two accounts that burn, merged with itself and then split when half of that has faded.
TWO: list[Session] = [
    [
        (("open", replace(opened("a", 0.65, 30.0), accounts=("a", "b"))), ALL),
        (("merge", (0, 0, NOW + HOUR)), ALL._replace(now=NOW + HOUR)),
        (("split", (0, False, NOW + 24 * HOUR)), ALL._replace(now=NOW + 24 * HOUR)),
    ]
]


@implementations
@pytest.mark.parametrize("story", [STORY, TWO])
def test_a_story(opened: OpenCases, tmp_path: Path, story: list[Session]) -> None:
    follows_the_model(opened, tmp_path, story)


@given(sessions=SESSIONS)
def test_cases_stay_until_they_are_judged_and_afterwards(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(open_sql_cases, tmp_path_factory.mktemp("cases"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_cases_stay_until_they_are_judged_and_afterwards_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(case_file), tmp_path_factory.mktemp("cases"), sessions)


@implementations
def test_of_several_at_once_one_claims_it(opened: OpenCases, tmp_path: Path) -> None:
    with opened(tmp_path) as file:
        made = file.cases.open(opened_case()).case
    won: list[str] = []

    def claim(by: str) -> None:
        with opened(tmp_path) as file:
            claimed = replace(made, version=made.version + 1, claim=Claim(by, NOW + HOUR))
            if file.cases.store(claimed, [Happening(NOW, by, "claimed", "")]):
                won.append(by)

    threads = [threading.Thread(target=claim, args=(f"reviewer {number}",)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with opened(tmp_path) as file:
        kept = file.cases.get(made.number)
        assert kept is not None
        assert [kept.claimed(NOW)] == won
        assert [each.what for each in file.cases.history(made.number)] == ["opened", "claimed"]


def opened_case() -> Case:
    return opened("a")


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "opens twice under one ref": Edit(module, "_opened", "if asked.ref else None", "if False else None"),
    "takes an empty ref for one": Edit(module, "_opened", "if asked.ref else None", "if True else None"),
    "opens twice about one account": Edit(module, "_opened", " or rows.open_about(connection, asked.accounts)", ""),
    "tells nothing of the opening": Edit(module, "_opened", "(connection, number, [", "(connection, -1, ["),
    "opens the first of several": Edit(SqlCaseIntake, "open", "(connection, each)", "(connection, asked[0])"),
    "finds closed ones about them": Edit(SqlCaseIntake, "about", "member.open == true(), ", ""),
    "finds those about others": Edit(SqlCaseIntake, "about", "== true(), some", "== true()"),
    "finds those about the first": Edit(SqlCaseIntake, "about", "len(accounts)", "1"),
    "stores over another version": Edit(case_rows, "put", ", _COLUMNS.version == case.version - 1", ""),
    "stores over all": Edit(case_rows, "put", "_COLUMNS.number == case.number, ", ""),
    "leaves members as they were": Edit(case_rows, "put", "write_members(connection, case)", "pass"),
    "takes closed cases for open": Edit(case_rows, "open_about", "member.open == true(), ", ""),
    "takes accounts for one another": Edit(case_rows, "open_about", ", member.account.in_(accounts)", ""),
    "calls all members open": Edit(case_rows, "write_members", "case.state == CaseState.OPEN", "True"),
    "forgets what happened": Edit(SqlCases, "store", "case.number, happenings", "case.number, ()"),
    "merges what has changed": Edit(SqlCases, "merge", "!= len({kept.number, merged.number})", "< 0"),
    "merges one with itself": Edit(SqlCases, "merge", "or kept.number == merged.number", "or False"),
    "keeps the facts of one": Edit(SqlCases, "merge", "(facts[merged.number], now)", "(facts[kept.number], now)"),
    "splits what has changed": Edit(SqlCases, "split", "not rows.put(", "None is rows.put("),
    "leaves the whole to those that stay": Edit(SqlCases, "split", "facts_row(stay, now)", "facts_row(whole, now)"),
    "takes the facts that were sent": Edit(SqlCases, "split", "msgspec.structs.replace(made, facts=go)", "made"),
    "values those that go by another time": Edit(SqlCases, "split", "facts=go), now)", "facts=go), 0)"),
    "tells one of the split": Edit(SqlCases, "split", "(left.number, number)", "(left.number,)"),
    "parts as of another time": Edit(SqlCases, "split", "parting.of(whole, now)", "parting.of(whole, 0)"),
    "parts all cases": Edit(SqlCases, "split", "_COLUMNS.number == left.number", "_COLUMNS.number > 0"),
    "shows all states": Edit(SqlCases, "found", "wanted.state is not None", "False"),
    "shows those of all accounts": Edit(SqlCases, "found", "wanted.account is not None", "False"),
    "shows those that others are at": Edit(SqlCases, "found", "wanted.claimed_by is not None", "False"),
    "shows those not escalated": Edit(SqlCases, "found", "wanted.escalated is not None", "False"),
    "begins each page anew": Edit(SqlCases, "found", "_COLUMNS.number > after", "_COLUMNS.number > -1"),
    "shows without a limit": Edit(SqlCases, "found", ".limit(limit)", ""),
    "gives the least valuable first": Edit(SqlCaseQueue, "best", "_COLUMNS.value.desc()", "_COLUMNS.value"),
    "gives the oldest of one value first": Edit(SqlCaseQueue, "best", "_COLUMNS.number.desc()", "_COLUMNS.number"),
    "gives one twice": Edit(SqlCaseQueue, "best", "_COLUMNS.number < after.number", "_COLUMNS.number <= after.number"),
    "leaves out those of one value": Edit(SqlCaseQueue, "best", "_COLUMNS.value == place", "false()"),
    "gives what somebody is at": Edit(case_rows, "ready", "_COLUMNS.ready_at <= now", "true()"),
    "gives it a moment late": Edit(case_rows, "ready", "_COLUMNS.ready_at <= now", "_COLUMNS.ready_at < now"),
    "gives the closed": Edit(case_rows, "ready", "_COLUMNS.state == CaseState.OPEN.value", "true()"),
    "gives leads' cases to all": Edit(case_rows, "ready", "(true() if escalated else false())", "_COLUMNS.escalated"),
    "draws from all for the uncertain": Edit(module, "_drawn", "if uncertain else chosen", "if False else chosen"),
    "draws the next": Edit(SqlCaseQueue, "nth", "offset(place)", "offset(place + 1)"),
    "ranks none": Edit(SqlCaseQueue, "rank", "_COLUMNS.ranked < before", "_COLUMNS.ranked < 0"),
    "ranks as of then": Edit(SqlCaseQueue, "rank", "rows.facts_in(facts), now", "rows.facts_in(facts), before"),
    "counts the closed": Edit(SqlCaseQueue, "waiting", ".where(_OPEN)", ""),
    "counts what sleeps as ready": Edit(SqlCaseQueue, "waiting", "_COLUMNS.ready_at <= now", "_COLUMNS.ready_at >= 0"),
    "keeps what was not drawn": Edit(case_rows, "write_members", "is_open and case.drawn", "is_open"),
    "keeps it for once": Edit(case_rows, "write_members", "insert(CASE_KEPT)", "delete(CASE_KEPT)"),
    "keeps what somebody is at": Edit(SqlCaseQueue, "kept", "drawn.where(rows.ready(now, escalated=False))", "drawn"),
    "keeps without a limit": Edit(SqlCaseQueue, "kept", ".limit(limit)", ""),
    "keeps in no order": Edit(SqlCaseQueue, "kept", "order_by(_COLUMNS.number)", "order_by(-_COLUMNS.number)"),
    "counts the merged as come": Edit(SqlCaseQueue, "came", "hour).where(alone, ", "hour).where("),
    "begins with the merged": Edit(SqlCaseQueue, "came", ", 0)).where(alone)", ", 0))"),
    "counts what came later": Edit(SqlCaseQueue, "came", "_COLUMNS.opened < until", "true()"),
    "counts what came at the end": Edit(SqlCaseQueue, "came", "opened < until", "opened <= until"),
    "counts what came before": Edit(SqlCaseQueue, "came", "_COLUMNS.opened >= since", "true()"),
    "leaves out the first moment": Edit(SqlCaseQueue, "came", "opened >= since", "opened > since"),
    "counts by the minute": Edit(SqlCaseQueue, "came", "// HOUR", "// 60_000_000"),
    "takes in twice": Edit(SqlCaseFeed, "feed", "if upto <= fed:", "if False:"),
    "takes in what it had": Edit(SqlCaseFeed, "feed", "if finding.event < fed:", "if False:"),
    "leaves out the first that is new": Edit(SqlCaseFeed, "feed", "finding.event < fed", "finding.event <= fed"),
    "forgets how far it was": Edit(SqlCaseFeed, "feed", '{"sequence": upto}', '{"sequence": fed}'),
    "opens one for each finding": Edit(SqlCaseFeed, "feed", "rows.open_about(connection, [finding.account])", "None"),
    "does not see what was used": Edit(SqlCaseFeed, "feed", "used.items()", "{}.items()"),
    "forgets what was burnt before": Edit(SqlCaseFeed, "feed", "burns.used(", "stake.used(0 * "),
    "burns as of another time": Edit(SqlCaseFeed, "feed", "facts.stake.faded(stake.at)", "facts.stake"),
    "burns what has faded": Edit(SqlCaseFeed, "feed", "stake.faded(burns.at).burn", "stake.burn"),
    "tells nothing of what it opened": Edit(SqlCaseFeed, "feed", "(connection, number, [", "(connection, -1, ["),
    "burns what is closed": Edit(SqlCaseFeed, "burning", "member.open == true(), ", ""),
    "burns what was known": Edit(SqlCaseFeed, "burning", ", _COLUMNS.number > after", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=60, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql_cases, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        for story in (STORY, TWO):
            follows_the_model(open_sql_cases, tmp_path_factory.mktemp("mutant"), story)
        model()
