"""Who put an entry in a list and why, and the lists that an entity stands in."""

import pytest

from fairgate.detect.lists import FOREVER, Entry, Lists, Told
from fairgate.domain.errors import BadEntry, NoSuchList
from fairgate.domain.secret import Tokens
from tests.support import NOW, SECRET, checked

CHECKED = checked()
WHY = Told("desk", "a case")


@pytest.fixture
def lists() -> Lists:
    return Lists(CHECKED)


def test_what_stands_is_told_by_value_with_who_and_why(lists: Lists) -> None:
    lists.put("banned", "zed", NOW + 5, WHY)
    lists.put("banned", "abe", NOW + 5)
    lists.put("banned", "gone", NOW, WHY)
    assert lists.standing("banned", NOW) == [Entry("abe", NOW + 5, None), Entry("zed", NOW + 5, WHY)]
    assert lists.standing("friends", NOW) == [Entry("friend", FOREVER, None)]
    assert lists.standing("banned", NOW + 5) == []
    with pytest.raises(NoSuchList):
        lists.standing("bannd", NOW)


def test_an_entry_is_found_in_any_spelling(lists: Lists) -> None:
    lists.put("bad_mail", "J.Doe+spam@GoogleMail.com", NOW + 5, WHY)
    assert lists.entry("bad_mail", "jdoe@gmail.com") == Entry("jdoe@gmail.com", NOW + 5, WHY)
    assert lists.entry("bad_mail", "other@gmail.com").until == 0
    with pytest.raises(BadEntry):
        lists.entry("bad_mail", "nobody")


def test_the_last_who_and_why_count(lists: Lists) -> None:
    lists.put("banned", "zed", NOW + 5, WHY)
    lists.put("banned", "zed", NOW + 9)
    assert lists.entry("banned", "zed") == Entry("zed", NOW + 9, None)


def test_an_entity_is_looked_for_in_the_lists_of_its_kind(lists: Lists) -> None:
    lists.put("banned", "friend", NOW + 5, WHY)
    assert lists.listing("account", "friend", NOW) == {
        "friends": Entry("friend", FOREVER, None), "banned": Entry("friend", NOW + 5, WHY)
    }  # fmt: skip
    assert lists.listing("ip", "friend", NOW) == {}
    assert list(lists.listing("account", "friend", NOW + 5)) == ["friends"]


def test_a_list_is_bare_where_the_pack_has_it_and_puts_nothing_in_it(lists: Lists) -> None:
    assert [lists.bare(name) for name in ("banned", "friends", "nobody")] == [True, False, False]


def test_a_personal_value_stands_as_its_token() -> None:
    tokens = Tokens(SECRET)
    lists = Lists(CHECKED, tokens)
    lists.put("bad_mail", "A.Nna@gmail.com", NOW + 5, WHY)
    token = tokens.text("anna@gmail.com")
    assert lists.standing("bad_mail", NOW) == [Entry(token, NOW + 5, WHY)]
    assert lists.entry("bad_mail", "anna@gmail.com").value == token
    for value in ("anna@gmail.com", token):
        assert list(lists.listing("email", value, NOW)) == ["bad_mail"]
