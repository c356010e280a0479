"""Named lists: entries in canonical form, until their time, changed by hand and kept in snapshots."""

import pytest

from fairgate.detect.lists import FOREVER, Lists, Told
from fairgate.domain.errors import BadEntry, NoSuchList
from tests.support import NOW, checked

CHECKED = checked()


@pytest.fixture
def lists() -> Lists:
    return Lists(CHECKED)


def test_the_packs_entries_stand_for_ever(lists: Lists) -> None:
    assert lists.entries(NOW) == {
        "friends": {"friend": FOREVER},
        "banned": {},
        "bad_mail": {},
        "tor": {"192.0.2.66": FOREVER},
    }


def test_an_entry_stands_until_its_time_and_no_longer(lists: Lists) -> None:
    lists.put("banned", "crook", NOW + 5)
    assert lists.entries(NOW + 4)["banned"] == {"crook": NOW + 5}
    assert lists.entries(NOW + 5)["banned"] == {}


def test_a_time_that_has_passed_takes_an_entry_off(lists: Lists) -> None:
    lists.put("friends", "friend", NOW)
    assert lists.entries(NOW)["friends"] == {}
    lists.put("friends", "friend", NOW + 9)
    assert lists.entries(NOW)["friends"] == {"friend": NOW + 9}


def test_entries_are_kept_as_events_are_compared(lists: Lists) -> None:
    lists.put("bad_mail", "J.Doe+spam@GoogleMail.com", NOW + 5)
    lists.put("tor", "2001:0DB8:0:0::1", NOW + 5)
    lists.put("banned", "Crook", NOW + 5)
    held = lists.entries(NOW)
    assert list(held["bad_mail"]) == ["jdoe@gmail.com"]
    assert "2001:db8::1" in held["tor"]
    assert list(held["banned"]) == ["Crook"]


def test_what_can_stand_in_no_list_is_refused_and_changes_nothing(lists: Lists) -> None:
    before = lists.entries(0)
    with pytest.raises(NoSuchList, match=r"no list `freinds`.*friends"):
        lists.put("freinds", "a", NOW)
    with pytest.raises(BadEntry, match=r"bad_mail.*has no @"):
        lists.put("bad_mail", "nobody", NOW)
    assert lists.entries(0) == before


def test_a_reset_holds_just_what_came_with_the_pack(lists: Lists) -> None:
    bound, shipped = lists.bindings(), lists.entries(NOW)
    lists.put("friends", "friend", NOW)
    lists.put("banned", "crook", NOW + 5, Told("me", "test"))
    lists.reset()
    assert lists.entries(NOW) == shipped
    assert bound["list_friends"] == shipped["friends"]
    assert bound["list_banned"] == {}
    assert lists.entry("banned", "crook").told is None
