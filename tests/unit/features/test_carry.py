"""Which profiles have a counterpart in another pack, and what moves where."""

import pytest

from fairgate.features.carry import carried
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts

SALT = 7
TEXT = """
[pack]
name = "small"
version = "1"

[event.login.attributes]
account = { entity = "account" }
email = { type = "email", entity = "email", personal = true }
card = { type = "number", entity = "card" }
amount = "number"
country = "text"
flag = "bool"

[event.pay.attributes]
account = { entity = "account" }
card = { type = "number", entity = "card" }
amount = "number"
flag = "bool"

[[list]]
name = "odd"
entries = ["XX", "YY"]

[[list]]
name = "friends"
entity = "account"
entries = ["192.0.2.1"]

[[segment]]
name = "default"
"""
FIRST = 'first(amount, on="login", by=account)'
SINCE = 'since("login", by=account)'
IS_NEW = 'is_new(country, on="login", by=account)'


def pack(*features: str, text: str = TEXT) -> CheckedPack:
    """The pack with these features, recorded at log-ins."""
    tables = (
        f'[[feature]]\nname = "f{number}"\nvalue = \'{each}\'\non = "login"' for number, each in enumerate(features)
    )
    return check_pack(pack_from_texts({"pack.toml": "\n".join([text, *tables])}), TYPES)


def changed(was: str, now: str) -> str:
    """The pack's text with something written otherwise, wherever it stands."""
    assert was in TEXT
    return TEXT.replace(was, now)


def test_an_unchanged_pack_loses_nothing() -> None:
    same = pack(FIRST, SINCE, IS_NEW)
    found = carried(same, same, SALT)
    assert found.anew == ()
    [move] = found.moves
    assert (move.old, move.new, move.cells, move.sets) == (0, 0, ((0, 0), (1, 1)), ((0, 0),))


def test_families_cells_and_sets_may_stand_elsewhere() -> None:
    country = 'is_new(country, on="login", by=(account, email))'
    old = pack(FIRST, 'count("login", by=email, over="1h")', SINCE, country, IS_NEW)
    new = pack(country, 'last(country, on="login", by=account)', IS_NEW, SINCE, FIRST)
    moves = {move.old: move for move in carried(old, new, SALT).moves}
    assert moves.keys() == {0, 2}
    assert (moves[0].new, moves[0].cells, moves[0].sets) == (1, ((0, 2), (1, 1)), ((0, 0),))
    assert (moves[2].new, moves[2].cells, moves[2].sets) == (0, (), ((0, 0),))


def test_what_counts_the_same_is_the_same_whatever_its_name() -> None:
    time = 'last(time, on="login", by=account)'
    [move] = carried(pack(time), pack(SINCE, time), SALT).moves
    assert move.cells == ((0, 0),)
    assert carried(pack(time), pack(SINCE), SALT).anew == ()


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (FIRST, 'first(amount, on=("login", "pay"), by=account)'),
        (FIRST, 'first(amount, on="login", by=card)'),
        (FIRST, 'first(amount, on="login", by=(account, card))'),
        ('first(amount, on="login", by=(card, account))', 'first(amount, on="login", by=(account, card))'),
        (FIRST, 'first(amount * 2, on="login", by=account)'),
        (FIRST, 'last(amount, on="login", by=account)'),
        (FIRST, 'first(amount, on="login", by=account, where=flag)'),
        (FIRST, 'is_new(amount, on="login", by=account)'),
        ('first(amount, on="login", by=account, over="90d")', FIRST),
    ],
)
def test_other_words_begin_anew(was: str, now: str) -> None:
    found = carried(pack(was), pack(now), SALT)
    assert found.anew == (now,)
    assert found.moves == ()


IN_ODD = 'since("login", by=account, where=country in list("odd"))'
IN_FRIENDS = 'since("login", by=account, where=country in list("friends"))'
BY_CARD = 'since("login", by=card)'
ALL = 'is_new(amount, on=("login", "pay"), by=account)'


@pytest.mark.parametrize(
    ("feature", "was", "now"),
    [
        (IN_ODD, '"XX", "YY"', '"XX", "ZZ"'),
        (IN_ODD, '"XX", "YY"', ""),
        (IN_FRIENDS, '"192.0.2.1"', '"192.0.2.2"'),
        (IN_FRIENDS, 'account = { entity = "account" }', 'account = { entity = "account", personal = true }'),
        (SINCE, 'account = { entity = "account" }', 'account = { entity = "account", personal = true }'),
        (SINCE, 'account = { entity = "account" }', 'account = { type = "ip", entity = "account" }'),
        (BY_CARD, 'card = { type = "number", entity', 'card = { type = "number", personal = true, entity'),
        (BY_CARD, 'card = { type = "number"', 'card = { type = "text"'),
        (IS_NEW, 'country = "text"', 'country = { type = "text", personal = true }'),
        (FIRST, 'amount = "number"', 'amount = "integer"'),
        ('since("login", by=account, where=flag)', 'flag = "bool"', 'flag = { type = "bool", personal = true }'),
    ],
)
def test_the_same_words_may_mean_something_else(feature: str, was: str, now: str) -> None:
    old, new = pack(feature), pack(feature, text=changed(was, now))
    for one, other in ((old, new), (new, old)):
        found = carried(one, other, SALT)
        assert [text.replace("'", '"') for text in found.anew] == [feature]
        assert found.moves == ()


def test_what_an_aggregate_does_not_speak_of_may_change() -> None:
    text = changed('flag = "bool"', 'flag = { type = "bool", personal = true }\nmore = "text"')
    text = text.replace('"192.0.2.1"', '"192.0.2.2"').replace('"XX", "YY"', '"YY", "XX"')
    assert carried(pack(FIRST, IN_ODD), pack(FIRST, IN_ODD, text=text), SALT).anew == ()


def test_an_attribute_is_compared_in_each_event_type_that_is_gathered() -> None:
    head, tail = TEXT.split("[event.pay.attributes]")
    text = "[event.pay.attributes]".join([head, tail.replace('amount = "number"', 'amount = "integer"')])
    assert carried(pack(ALL, FIRST), pack(ALL, FIRST, text=text), SALT).anew == (ALL,)


def test_windows_are_never_carried() -> None:
    windows = ('last(amount, on="login", by=account, over="1h")', 'count("login", by=account, over="90d")')
    assert carried(pack(*windows), pack(*windows), SALT) == carried(pack(), pack(), SALT)
