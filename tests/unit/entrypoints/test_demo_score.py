"""What the demo counts of a play, and how it is shown."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fairgate.domain.action import Action
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.entrypoints.demo_gateway import Followed, Gateway
from fairgate.entrypoints.demo_play import Played
from fairgate.entrypoints.demo_score import Decisions, Score, Shown, middle
from fairgate.entrypoints.demo_screen import Screen, line, print_summary, told, touched, turn
from fairgate.entrypoints.signing import Verifier
from fairgate.ports.cases import Waiting
from fairgate.simulate.acts import Account, Act, Actor, Seen
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import COMPANY, Done, Reviewed, Verdict
from tests.support import SetClock
from tests.unit.simulate.worlds import world_of

OWNER = Actor("person_1", "hobbyist", honest=True, hands="person")
FARMER = Actor("credit_farm 0", "credit_farm", honest=False, hands="robot")
THIEF = Actor("takeover 0", "takeover", honest=False, hands="robot")


@pytest.fixture
def score() -> Score:
    return Score({"credit_farm": 2, "takeover": 1, "relay": 0})


def done(  # noqa: PLR0913 - as an act has
    name: str, owner: Actor, by: Actor, seen: Seen, *, at: int = 0, action: Action = Action.ALLOW, wait: int = 0
) -> Done:
    act = Act(at, "api.request", Account(name, "free", 0, owner), by, {}, dollars=2.0)
    return Done(act, seen, "1", b"{}", Verdict(action), wait)


def test_opponents_accounts_are_counted_once(score: Score) -> None:
    for at in range(3):
        score(done("a", FARMER, FARMER, Seen.SERVED, at=at))
    score(done("a", FARMER, FARMER, Seen.SLOWED, at=HOUR))
    for at in (2 * HOUR, 3 * HOUR):
        score(done("a", FARMER, FARMER, Seen.CLOSED, at=at, action=Action.SUSPEND))
    score(done("b", FARMER, FARMER, Seen.HELD, at=HOUR, action=Action.HOLD))
    farm = score.sides["credit_farm"]
    assert (farm.accounts, farm.closed, farm.compute) == (2, 2, 6.0)
    assert farm.hours == [2.0, 0.0]
    assert score.honest == score.touched == 0


@pytest.mark.parametrize(
    ("seen", "action", "wait", "words"),
    [
        (Seen.SERVED, Action.WATCH, 0, "nobody was touched"),
        (Seen.SERVED, Action.CHALLENGE, 0, "nobody was touched"),  # passed one lately
        (Seen.CHALLENGED, Action.CHALLENGE, 30, "1 touched (50.0%): 1 challenged"),
        (Seen.REFUSED, Action.CHALLENGE, 30, "1 touched (50.0%): 1 challenged"),
        (Seen.SERVED, Action.THROTTLE, 0, "1 touched (50.0%): 1 slowed"),
        (Seen.SLOWED, Action.ALLOW, 0, "1 touched (50.0%): 1 slowed"),
        (Seen.CLOSED, Action.BAN, 0, "1 touched (50.0%): 1 closed"),
        (Seen.HELD, Action.HOLD, 0, "1 touched (50.0%): 1 closed"),
    ],
)
def test_whoever_is_honest_and_feels_something_is_touched(
    score: Score, seen: Seen, action: Action, wait: int, words: str
) -> None:
    score(done("b", OWNER, OWNER, Seen.SERVED))
    for _ in range(2):
        score(done("a", OWNER, OWNER, seen, action=action, wait=wait))
    assert touched(score) == words
    assert (score.asked, score.unserved) == (3, 0 if seen.served else 2)
    assert score.compute == (6.0 if seen.served else 2.0)


def test_whose_account_is_broken_into_counts_on_the_other_side(score: Score) -> None:
    score(done("a", OWNER, OWNER, Seen.CHALLENGED, action=Action.CHALLENGE, wait=9))
    score(done("a", OWNER, THIEF, Seen.SERVED))
    score(done("a", OWNER, THIEF, Seen.CLOSED, at=90 * MINUTE, action=Action.SUSPEND))
    score(done("a", OWNER, OWNER, Seen.CLOSED))
    score(done("a", OWNER, COMPANY, Seen.SERVED))
    thief = score.sides["takeover"]
    assert (thief.accounts, thief.closed, thief.hours) == (1, 1, [1.5])
    assert (score.honest, score.touched, score.asked) == (0, 0, 1)


def test_opponents_turn_and_leave(score: Score) -> None:
    def entry(at: int, who: int, what: str, note: str = "", dollars: float = 0.0) -> None:
        score(Entry(at, f"credit_farm {who}", "credit_farm", what, dollars, note))

    farm = score.sides["credit_farm"]
    assert farm.state == "not here yet"
    entry(1, 0, "tries", "one way: it may bring 3.00 dollars")
    entry(2, 0, "tries", "one way: it may bring 2.00 dollars")
    entry(3, 0, "server", dollars=-4.0)
    entry(4, 0, "tries", "another: it may bring 1.00 dollars")
    entry(5, 0, "sells", dollars=1.5)
    assert (farm.state, farm.profit, farm.came) == ("another", -2.5, {"credit_farm 0"})
    entry(6, 0, "leaves", "no way pays any more")
    assert farm.state == "another"
    entry(7, 1, "leaves", "no way pays any more")
    assert farm.state == "gave up"
    assert [turn(each) for each in score.turns] == [
        "Thu 00:00:00  opponent   credit farm 0      begins with one way",
        "Thu 00:00:00  opponent   credit farm 0      turns to another",
        "Thu 00:00:00  opponent   credit farm 0      gives up: no way pays any more",
        "Thu 00:00:00  opponent   credit farm 1      gives up: no way pays any more",
    ]


def test_reviews_are_counted(score: Score) -> None:
    score(Reviewed(1, Account("a", "free", 0, OWNER), closed=False, cost=4.0))
    assert score.reviews == 1


@pytest.mark.parametrize(
    ("hours", "words"),
    [([], ""), ([0.0], "0 min"), ([0.5, 0.7], "36 min"), ([1.0], "1 h 00 min"), ([1.5, 30.0, 2.05], "2 h 03 min")],
)
def test_hours_in_words(hours: list[float], words: str) -> None:
    assert middle(hours) == words


def decisions() -> Decisions:
    found = Decisions()
    for number in range(100):
        account, action = f"acct_{number % 50:012}", ("allow", "watch", "challenge", "ban")[number % 4]
        found.count(Shown(number * MINUTE, "account.signup", account, action, ("burst",), "many sign-ups"))
    return found


def told_gateway() -> Gateway:
    """A gateway that was told of four accounts."""
    gateway = Gateway(Verifier(b"k" * 32, SetClock()))
    gateway.standing.update(a="hold", b="ban", c="allow", d="hold")
    gateway.messages = 5
    return gateway


def followed(gateway: Gateway) -> Followed:
    """With two cases that wait."""
    return Followed(gateway, lambda now: Waiting(2, 2, now, 90.0), SetClock())


def test_what_went_on_is_told_by_gravity() -> None:
    beside = followed(told_gateway())
    beside.look()
    said = told(7, beside)
    assert "2 cases wait for a person, about 1.5 hours of work" in said
    assert "7 actions" in said
    assert "5 messages in all. Accounts now, by what it knows: 2 on hold, 1 banned." in said
    assert "none restricted" in told(0, followed(Gateway(Verifier(b"k" * 32, SetClock()))))


def test_decisions_of_one_account_are_one_line() -> None:
    found = Decisions()
    for at, action in enumerate(("challenge", "ban", "challenge", "watch", "allow")):
        found.count(Shown(at, "api.request", "a", action, ("r",), ""))
    assert [(shown.time, shown.action, times) for shown, times in found.recent.values()] == [
        (1, "ban", 1),
        (2, "challenge", 2),
    ]
    assert (found.events, found.notable, found.rules) == (5, 3, {"r": 5})
    assert line(Shown(0, "api.request", "a", "ban", ("r", "s"), "")) == (
        "Thu 00:00:00  ban        a                  api.request           r, s"
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 34), (200, 60)])
def test_the_screen_fits_any_terminal(score: Score, tmp_path: Path, width: int, height: int) -> None:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    screen = Screen(Played(world_of(tmp_path), 3, 7), decisions(), score, followed(told_gateway()))
    lines = console.render_lines(screen.view(1_788_800_000_000_000, 812.4, console.size), console.options)
    text = ["".join(each.text for each in one).rstrip() for one in lines]
    assert len(text) <= height
    assert max(map(len, text)) <= width
    shown = "\n".join(text)
    for words in (
        "of 3",
        "812 per second",
        "challenge 25",
        "credit farm",
        "not here yet",
        "honest people",
        "many sign",
        "in the ledger now: hold 2  ban 1",
        "2 cases wait",
    ):
        assert words in shown


def test_the_summary_fits_in_eighty_columns_and_says_that_it_is_simulated(score: Score, tmp_path: Path) -> None:
    score(done("a", FARMER, FARMER, Seen.SERVED))
    score(done("b", OWNER, OWNER, Seen.SERVED))
    score(Entry(1, "credit_farm 0", "credit_farm", "server", -1_234.5))
    file = StringIO()
    print_summary(Played(world_of(tmp_path), 3, 7), decisions(), score, Console(file=file, width=80))
    text = file.getvalue()
    assert "…" not in text
    said = " ".join(text.split())
    assert said.startswith("3 days are over. 100 events, 0 refused. All of it is simulated: nobody in it is real.")
    assert "Of 3 opponents none came, and none of those gave up. They used 1 accounts, of which none (0.0%)" in said
    assert "They got $2.00 of compute. Of 1 honest accounts none was touched; all of their 1 requests were" in said
    assert "credit farm 0 of 2 0 1 0 $2.00 -$1,234.50" in said


def test_the_summary_says_what_honest_people_did_not_get(score: Score, tmp_path: Path) -> None:
    score(done("b", OWNER, OWNER, Seen.SERVED))
    score(done("b", OWNER, OWNER, Seen.SLOWED))
    file = StringIO()
    print_summary(Played(world_of(tmp_path), 1, 7), decisions(), score, Console(file=file, width=200))
    assert "The day is over." in file.getvalue()
    words = "Of 1 honest accounts 1 was touched (100.0%): 1 slowed; 1 (50.0%) of their 2 requests were not served."
    assert words in file.getvalue()
