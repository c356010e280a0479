"""The ban memory against a naive model: what stands in a list is what some action that stands still speaks for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.detect.ban_memory import BanMemory
from fairgate.detect.lists import Lists, Told
from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.memory import REMEMBERS, Memory, Remembered
from fairgate.domain.secret import Tokens
from fairgate.domain.windows import DAY
from fairgate.language.problems import PackError
from tests.support import HEAD, NOW, checked

PACK = HEAD + """
[[segment]]
name = "default"

[[list]]
name = "mailboxes"
entity = "email"
remembers = { of = ["ban"], on = "account.signup", for = "10d" }

[[list]]
name = "addresses"
entity = "ip"
remembers = { of = ["ban", "suspend"], on = ["account.signup", "api.request"], for = "5d", shared_by = 1 }

[[list]]
name = "by_hand"
entity = "email"
"""  # fmt: skip
CHECKED = checked(PACK)
Place = tuple[str, str]
KNOWN = ("mailboxes", "addresses")
#: The last list is one that the pack has no more.
LISTS, TOKENS = (*KNOWN, "gone"), tuple(f"t1:{number:032x}" for number in range(3))


def entry(number: int, action: Action = Action.BAN, account: str = "a", starts: int = NOW) -> Entry:
    return Entry(number, Subject("account", account), action, starts, FOREVER, (), (), "")


@dataclass
class Naive:
    """What is remembered of each action, and what was put by hand."""

    memories: dict[int, Memory] = field(default_factory=dict)
    put: dict[tuple[str, str], int] = field(default_factory=dict)

    def stands(self, name: str, token: str) -> int:
        items = [each for one in self.memories.values() for each in one.items]
        ends = [each.until for each in items if (each.list, each.token) == (name, token)]
        return max([*ends, self.put.get((name, token), 0)])

    def expire(self, now: int) -> None:
        self.memories = {at: each for at, each in self.memories.items() if each.until > now}


known = st.tuples(st.sampled_from(KNOWN), st.sampled_from(TOKENS))
places = st.tuples(st.sampled_from(LISTS), st.sampled_from(TOKENS))
memories = st.builds(
    lambda action, account, items, until: Memory(
        action,
        Subject("account", account),
        tuple(Remembered(name, token, NOW + end) for (name, token), end in items.items()),
        NOW + until,
    ),
    st.integers(0, 3),
    st.sampled_from("ab"),
    st.dictionaries(places, st.integers(1, 9), max_size=4),
    st.integers(1, 12),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("remember"), memories),
        st.tuples(st.just("undo"), st.integers(0, 3)),
        st.tuples(st.just("expire"), st.integers(0, 12)),
        st.tuples(st.just("put"), st.tuples(known, st.integers(1, 9))),
        st.tuples(st.just("take_off"), known),
        st.tuples(st.just("erase"), st.sampled_from("ab")),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=20,
)


class Story:
    """The memory and its model, taking the same steps."""

    def __init__(self) -> None:
        self.lists = Lists(CHECKED, Tokens(1))
        self.memory, self.naive, self.now = BanMemory(CHECKED.pack, self.lists), Naive(), NOW

    def remember(self, told: Memory) -> None:
        self.memory.take(told)
        self.naive.memories[told.action] = told

    def undo(self, number: int) -> None:
        self.memory.told(replace(entry(number), undone=Undone(self.now, "me", "why")))
        self.naive.memories.pop(number, None)

    def expire(self, days: int) -> None:
        self.now = max(self.now, NOW + days)
        self.memory.standing(self.now)
        self.naive.expire(self.now)

    def put(self, asked: tuple[Place, int]) -> None:
        (name, token), end = asked
        self.lists.put(name, token, NOW + end, Told("me", "why"))
        self.naive.put[name, token] = NOW + end

    def take_off(self, place: Place) -> None:
        self.lists.put(*place, self.now, Told("me", "why"))
        self.memory.take_off(*place)
        self.naive.put[place] = self.now
        for number, one in self.naive.memories.items():
            left = tuple(each for each in one.items if (each.list, each.token) != place)
            self.naive.memories[number] = replace(one, items=left)

    def erase(self, account: str) -> None:
        for one in self.memory.of(Subject("account", account)):
            self.remember(replace(one, items=()))
        assert not any(each.items for each in self.naive.memories.values() if each.subject.value == account)

    def restart(self, _: None) -> None:
        self.lists, before = Lists(CHECKED, Tokens(1)), self.memory.standing(self.now)
        for (name, token), end in self.naive.put.items():
            self.lists.put(name, token, end, Told("me", "why"))
        self.memory = BanMemory(CHECKED.pack, self.lists)
        for one in before:
            self.memory.take(one)
        self.naive.expire(self.now)

    def check(self) -> None:
        for name in KNOWN:
            ends = {token: self.naive.stands(name, token) for token in TOKENS}
            standing = {each.value: each.until for each in self.lists.standing(name, self.now)}
            assert standing == {token: end for token, end in ends.items() if end > self.now}
        memories = self.naive.memories.values()
        assert len(self.memory) == len({(each.list, each.token) for one in memories for each in one.items})


@given(STEPS)
def test_what_stands_is_what_some_action_or_hand_speaks_for(steps: Sequence[tuple[str, object]]) -> None:
    story = Story()
    for name, given_ in steps:
        getattr(story, name)(given_)
        story.check()


def test_only_bans_of_accounts_wait_until_they_are_looked_up_undone_or_too_old() -> None:
    memory = BanMemory(CHECKED.pack, Lists(CHECKED, Tokens(1)))
    for each in (
        entry(5),
        entry(1, Action.SUSPEND),
        entry(2, Action.HOLD),
        replace(entry(3), subject=Subject("key", "k")),
        entry(4),
        entry(6),
        entry(7, starts=NOW - 8 * DAY),
        entry(8, Action.SUSPEND, starts=NOW - 8 * DAY),
    ):
        memory.told(each)
    memory.told(replace(entry(4), undone=Undone(NOW, "me", "why")))
    memory.take(Memory(6, Subject("account", "a"), (), NOW + DAY))
    memory.told(entry(6))  # only said again
    assert [each.number for each in memory.waiting(NOW)] == [1, 5, 7]
    memory.reset()
    assert memory.waiting(NOW) == []


def test_it_says_who_speaks_for_an_entry() -> None:
    lists = Lists(CHECKED, Tokens(1))
    memory, token = BanMemory(CHECKED.pack, lists), TOKENS[0]
    lists.put("mailboxes", token, NOW + 5, Told("ann", "a case"))
    for action, until in ((3, 9), (4, 7)):
        memory.take(Memory(action, Subject("account", "a"), (Remembered("mailboxes", token, NOW + until),), NOW + 99))
    assert lists.entry("mailboxes", token).told == Told(REMEMBERS, "action 3")
    memory.told(replace(entry(3), undone=Undone(NOW, "me", "why")))
    assert lists.entry("mailboxes", token).told == Told(REMEMBERS, "action 4")
    memory.told(replace(entry(4), undone=Undone(NOW, "me", "why")))
    assert lists.entry("mailboxes", token).told == Told("ann", "a case")


def test_tokens_under_an_older_secret_still_stand_for_their_text() -> None:
    old, new = Tokens(1, 1), Tokens(2, 2)
    lists = Lists(CHECKED, new, [old])
    asked = lists.bindings()["list_mailboxes"]
    BanMemory(CHECKED.pack, lists).take(
        Memory(0, Subject("account", "a"), (Remembered("mailboxes", old.text("a@b.example"), NOW + 9),), NOW + 9)
    )
    assert asked.get("a@b.example", 0) == NOW + 9
    assert asked.get("b@b.example", 0) == 0
    lists.put("mailboxes", new.text("a@b.example"), NOW + 12)
    assert asked.get("a@b.example", 0) == NOW + 12
    lists.reset()
    assert asked.get("a@b.example", 0) == 0


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('of = ["hold"], on = "account.signup", for = "10d"', "`hold` is not one of the words for this"),
        ('of = [], on = "account.signup", for = "10d"', "no action is named"),
        ('of = ["ban"], on = [], for = "10d"', "no event type is named"),
        ('of = ["ban"], on = "account.sinup", for = "10d"', "there is no event type `account.sinup`"),
        ('of = ["ban"], on = "api.request", for = "10d"', "api.request has no entity `email`"),
        ('of = ["ban"], on = "account.signup", for = "731d"', "`731d` is no time to remember somebody for"),
        ('of = ["ban"], on = "account.signup", for = "10d", shared_by = 0', "`shared_by` is a whole number"),
    ],
)
def test_a_list_that_can_not_remember_is_a_fault(written: str, told: str) -> None:
    bad = PACK.replace('of = ["ban"], on = "account.signup", for = "10d"', written)
    with pytest.raises(PackError, match=told.replace("[", r"\[")):
        checked(bad)


def test_only_what_is_personal_is_remembered() -> None:
    remembers = 'remembers = { of = ["ban"], on = "account.signup", for = "1d" }'
    with pytest.raises(PackError, match="the entity `device` is not personal"):
        checked(f'{PACK}[[list]]\nname = "d"\nentity = "device"\n{remembers}\n')
