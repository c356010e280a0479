"""Tokens and salts: equal texts have equal tokens under one secret, and nothing else is told of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain import secret
from fairgate.domain.secret import Secrets, Tokens, derived, is_token_text, key_of, salt_of, token_text


@given(st.text(), st.text())
def test_tokens_are_equal_where_texts_are(one: str, other: str) -> None:
    first, second = Tokens(7), Tokens(7)
    assert (first.of[one] == second.of[other]) == (one == other)
    assert (first.key[one] == second.key[other]) == (one == other)
    assert first.key[one] == key_of(first.of[one])
    assert first.text(one) == token_text(1, first.of[one] or b"")
    assert is_token_text(first.text(one))
    assert not is_token_text(one)


def test_another_secret_gives_other_tokens() -> None:
    assert Tokens(7).of["a"] != Tokens(8).of["a"]
    assert Tokens(1 << 200).of["a"] != Tokens(0).of["a"]


def test_missing_has_none() -> None:
    tokens = Tokens(7)
    assert tokens.of[None] is None
    assert tokens.key[None] == 0
    assert key_of(None) == 0
    assert key_of(bytes(16)) == 1


def test_purposes_share_nothing() -> None:
    assert len({derived(7, purpose) for purpose in ("rows", "draws", "tokens", "seals")}) == 4
    assert salt_of(7, "rows") != salt_of(8, "rows")
    assert 0 <= salt_of(7, "rows") < 1 << 64


def test_no_more_texts_are_held_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_MOST_HELD", 10)
    tokens = Tokens(7)
    first = [tokens.key[str(number)] for number in range(100)]
    assert len(tokens.key) <= 10
    assert len(tokens.of) <= 10
    assert first == [tokens.key[str(number)] for number in range(100)]


def test_what_is_forgotten_is_made_again() -> None:
    tokens = Tokens(7)
    before = tokens.key["a"]
    tokens.forget()
    assert not tokens.key
    assert not tokens.of
    assert tokens.key["a"] == before


def test_the_newest_version_is_used() -> None:
    secrets = Secrets({2: 5, 10: 6, 1: 4})
    assert (secrets.newest, secrets.current) == (10, 6)
