"""Plans of a shift: neither planner breaks a conflict, a skill or language, anybody's hours or a deadline."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.casework import greedy, plan, solver
from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import NEVER, Plan, Planner, Reviewer, Work
from fairgate.casework.solver import solved_plan
from fairgate.domain.windows import MINUTE
from tests.contracts.planting import Edit, planted

NOW = 1_000_000 * MINUTE
NAMES = ("ada", "bo", "cy")
SKILLS, LANGUAGES = st.sampled_from(["", "keys", "cards"]), st.sampled_from(["", "de", "ja"])
DUE = st.one_of(st.just(NEVER), st.integers(-30, 300).map(lambda minutes: NOW + minutes * MINUTE))
WORK = st.builds(
    Work,
    case=st.just(0),
    minutes=st.floats(0.1, 100),
    value=st.floats(0, 1_000),
    skill=SKILLS,
    language=LANGUAGES,
    due=DUE,
    barred=st.frozensets(st.sampled_from(NAMES), max_size=2),
    kept=st.booleans(),
)
WORKS = st.lists(WORK, max_size=12).map(
    lambda works: [
        Work(at, each.minutes, each.value, each.skill, each.language, each.due, each.barred, each.kept)
        for at, each in enumerate(works)
    ]
)
TEAMS = st.lists(
    st.builds(
        Reviewer,
        name=st.sampled_from(NAMES),
        minutes=st.floats(0, 200),
        skills=st.frozensets(SKILLS),
        languages=st.frozensets(LANGUAGES),
    ),
    unique_by=lambda each: each.name,
    max_size=3,
)
PLANNERS = {"greedy": greedy_plan, "solver": solved_plan}


def check(made: Plan, works: list[Work], team: list[Reviewer]) -> None:
    """What no plan may break, said without the planners' own words."""
    by_case, people = {each.case: each for each in works}, {each.name: each for each in team}
    done = [case for cases in made.lists.values() for case in cases]
    assert set(made.lists) == set(people)
    assert sorted([*done, *made.left]) == sorted(by_case), "every case is in one place"
    for name, cases in made.lists.items():
        reviewer, own = people[name], [by_case[case] for case in cases]
        assert sum(each.minutes for each in own) <= reviewer.minutes + 1e-6, "hours"
        for each in own:
            assert name not in each.barred, "conflict"
            assert not each.skill or each.skill in reviewer.skills, "skill"
            assert not each.language or each.language in reviewer.languages, "language"
    ends = dict[int, float]()
    for cases in made.lists.values():
        at = 0.0
        for case in cases:
            at += by_case[case].minutes
            ends[case] = NOW + at * MINUTE
            due = by_case[case].due
            if due < ends[case]:
                assert case in made.late, "what will be late is said to be"
                assert due - NOW < by_case[case].minutes * MINUTE, "and is late whoever had done it"


@settings(max_examples=80, deadline=None)
@given(WORKS, TEAMS, st.sampled_from(sorted(PLANNERS)))
def test_no_plan_breaks_what_holds(works: list[Work], team: list[Reviewer], planner: str) -> None:
    check(PLANNERS[planner](works, team, NOW), works, team)


@settings(max_examples=60, deadline=None)
@given(WORKS, TEAMS)
def test_the_solver_keeps_no_fewer_deadlines_and_draws(works: list[Work], team: list[Reviewer]) -> None:
    by_case = {each.case: each for each in works}

    def tiers(made: Plan) -> tuple[int, int, float]:
        done = [by_case[case] for cases in made.lists.values() for case in cases]
        urgent = [plan.pressing(each, team, NOW) for each in done]
        kept = sum(each.kept and not soon for each, soon in zip(done, urgent, strict=True))
        return sum(urgent), kept, sum(each.value * each.minutes for each in done)

    best = max((each.value * each.minutes for each in works), default=0.0)
    # Minutes are rounded to tenths, and a greedy plan may use the last hundredth of somebody's hours.
    tight = any(round(each.minutes * 10) != each.minutes * 10 for each in works)
    solved, by_greed = tiers(solved_plan(works, team, NOW)), tiers(greedy_plan(works, team, NOW))
    if not tight:
        assert solved[:2] >= by_greed[:2]
        assert solved[:2] > by_greed[:2] or solved[2] >= by_greed[2] - 1e-5 * best * len(works)


def best_worth(works: list[Work], team: list[Reviewer]) -> float:
    """The most worth of any plan, by trying all."""
    best = 0.0
    for given_to in product([None, *team], repeat=len(works)):
        pairs = [(who, work) for who, work in zip(given_to, works, strict=True) if who is not None]
        if all(plan.may(who, work) for who, work in pairs) and all(
            sum(work.minutes for who, work in pairs if who is each) <= each.minutes for each in team
        ):
            best = max(best, sum(work.value * work.minutes for _, work in pairs))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_solver_finds_the_best_plan(seed: int) -> None:
    draw = Random(seed)
    works = [Work(at, draw.randrange(5, 40), draw.randrange(1, 20), skill=draw.choice(["", "keys"])) for at in range(7)]
    team = [Reviewer("ada", 60, frozenset({"keys"})), Reviewer("bo", 45)]
    value = {each.case: each.value * each.minutes for each in works}
    made = solved_plan(works, team, NOW)
    assert sum(value[case] for cases in made.lists.values() for case in cases) == best_worth(works, team)


@pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS)
def test_what_comes_first(planner: Planner) -> None:
    works = [
        Work(0, 10, 5.0),
        Work(1, 10, 1.0, due=NOW + 30 * MINUTE, barred=frozenset({"ada"})),
        Work(2, 10, 0.0, kept=True),
        Work(3, 10, 9.0),
        Work(4, 10, 0.0, due=NOW - MINUTE),
    ]
    made = planner(works, [Reviewer("bo", 40)], NOW)
    assert made == Plan({"bo": (4, 1, 2, 3)}, left=(0,), late=(4,))
    assert planner(works, [Reviewer("ada", 40)], NOW).lists == {"ada": (4, 2, 3, 0)}, "the appeal is not hers to decide"
    assert planner(works, [], NOW) == Plan({}, left=(4, 2, 3, 0, 1), late=(4,))
    assert planner([], [Reviewer("bo", 40)], NOW) == Plan({"bo": ()}, (), ())


def test_who_can_do_little_else_gets_what_anybody_can_do() -> None:
    works = [Work(0, 30, 5.0), Work(1, 30, 4.0, skill="keys")]
    team = [Reviewer("ada", 30, frozenset({"keys"})), Reviewer("bo", 30)]
    assert greedy_plan(works, team, NOW).lists == {"ada": (1,), "bo": (0,)}


def test_the_same_work_gives_the_same_plan() -> None:
    draw = Random(3)
    works = [Work(at, draw.uniform(5, 60), draw.expovariate(1)) for at in range(120)]
    team = [Reviewer(name, 300) for name in NAMES]
    assert solved_plan(works, team, NOW) == solved_plan(works, team, NOW)


def test_where_the_solver_finds_nothing_in_time_the_plan_is_greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MOST_STEPS", 0.0)
    monkeypatch.setattr(solver, "MOST_SECONDS", 0.0)
    works = [Work(at, 10 + at % 3, 1.0 + at) for at in range(30)]
    team = [Reviewer("ada", 100), Reviewer("bo", 50)]
    assert solved_plan(works, team, NOW) == greedy_plan(works, team, NOW)


def test_a_large_team_is_given_all_that_it_can_do() -> None:
    works = [Work(at, 5, 1.0) for at in range(700)]
    team = [Reviewer(f"r{at}", 150) for at in range(20)]
    for planner in (greedy_plan, solved_plan):
        made = planner(works, team, NOW)
        assert sum(map(len, made.lists.values())) == 600
        assert len(made.left) == 100


MUTANTS: dict[str, tuple[Planner, Edit]] = {
    "greedy forgets the hours": (greedy_plan, Edit(greedy, "greedy_plan", "work.minutes > left[name] or ", "")),
    "greedy forgets what is spent": (greedy_plan, Edit(greedy, "greedy_plan", "left[name] -= work.minutes", "pass")),
    "greedy forgets conflicts": (greedy_plan, Edit(greedy, "greedy_plan", " or not may(reviewer, work)", "")),
    "greedy forgets deadlines": (greedy_plan, Edit(greedy, "greedy_plan", "not urgent or", "True or")),
    "the solver forgets conflicts": (solved_plan, Edit(solver, "solved_plan", "if may(reviewer, work)", "if True")),
    "the solver gives work twice": (solved_plan, Edit(solver, "solved_plan", "add_at_most_one", "add_bool_or")),
    "the solver forgets the hours": (solved_plan, Edit(solver, "_keep_hours", "_MOST_MINUTES) *", "1e3) * 9 *")),
    "the solver forgets deadlines": (solved_plan, Edit(solver, "_keep_deadlines", "left >= _parts", "left < -_parts")),
}


def fares(planner: Planner) -> None:
    draw = Random(5)
    for _ in range(60):
        works = [
            Work(
                case=at,
                minutes=draw.randrange(5, 40),
                value=draw.randrange(1, 9),
                skill=draw.choice(["", "", "keys"]),
                due=NOW + draw.randrange(5, 90) * MINUTE if draw.random() < 0.5 else NEVER,
                barred=frozenset({draw.choice(NAMES)}),
            )
            for at in range(8)
        ]
        team = [
            Reviewer(name, draw.randrange(20, 90), frozenset(draw.sample(["keys"], at % 2)))
            for at, name in enumerate(NAMES)
        ]
        check(planner(works, team, NOW), works, team)


@pytest.mark.parametrize("planner", PLANNERS.values(), ids=PLANNERS)
def test_many_plans_hold(planner: Planner) -> None:
    fares(planner)


@pytest.mark.parametrize(("planner", "mutant"), MUTANTS.values(), ids=MUTANTS)
def test_a_planner_that_breaks_something_is_noticed(planner: Planner, mutant: Edit) -> None:
    with planted(mutant), pytest.raises((AssertionError, KeyError)):
        fares(_there(planner, mutant))


def _there(planner: Planner, mutant: Edit) -> Planner:
    """The planner as its module has it now, which may be the mutant."""
    module = greedy if planner is greedy_plan else solver
    found: Planner = vars(module)[planner.__name__]
    assert mutant.owner is module
    return found
