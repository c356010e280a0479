"""Bans remembered by the live pipeline: who comes back is caught, through restarts, cuts, new secrets and erasures."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairgate.backends.embedded.lake import open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchEntry, NothingSealed, NotRemembered
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.memory import MOST_EACH
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import DAY
from fairgate.pipeline.compaction import Compaction
from fairgate.pipeline.identifiers import Identifiers
from fairgate.pipeline.live_lake import LiveLake
from fairgate.pipeline.online import Pipeline
from fairgate.wiring import checked_from
from tests.support import HEAD, NOW, SECRET, SECRETS, SetClock, body, checked, open_pipeline, request, seals_in
from tests.unit.pipeline.live import answers, reread, snapshot

PACK = HEAD + """
[[segment]]
name = "default"

[[list]]
name = "mailboxes"
entity = "email"
remembers = { of = ["ban"], on = "account.signup", for = "90d" }

[[list]]
name = "addresses"
entity = "ip"
remembers = { of = ["ban"], on = ["account.signup", "api.request"], for = "30d", shared_by = 2 }

[[rule]]
name = "returns"
on = "account.signup"
when = 'email in list("mailboxes")'
score = 2.0
reason = "burst"
mode = "live"

[action.ban]
use = false
"""  # fmt: skip
CHECKED = checked(PACK)
BOTH = Secrets({1: SECRET, 2: 0x5EED_2})


def signup(number: int, account: str, email: str, ip: str = "198.51.100.7") -> bytes:
    return body({"account": account, "email": email, "ip": ip}, id=f"s{number}")


def ban(pipeline: Pipeline, account: str) -> int:
    now = pipeline.clock.now()
    asked = Entry(-1, Subject("account", account), Action.BAN, now, FOREVER, ("burst",), (), "", "ann", "why")
    return pipeline.act(asked)[0].number


def caught(pipeline: Pipeline, number: int, email: str) -> bool:
    [answer] = answers(pipeline, signup(number, f"new{number}", email))
    return "returns" in answer.decision.rules


@contextmanager
def identifiers(folder: Path, secrets: Secrets = SECRETS) -> Iterator[Identifiers]:
    with (
        open_log(folder / "log", read_only=True) as log,
        open_lake(folder / "lake") as lake,
        seals_in(folder, secrets) as seals,
    ):
        compaction = Compaction(log, lake, checked_from)
        yield Identifiers(LiveLake(lake, compaction, log.refresh, secrets, seals.open), secrets, seals.open)


def used(
    folder: Path, accounts: Sequence[str], secrets: Secrets = SECRETS
) -> Mapping[str, Mapping[str, Sequence[str]]]:
    with identifiers(folder, secrets) as found:
        return found.of(CHECKED.pack, ("addresses", "mailboxes"), accounts).found


def remember(pipeline: Pipeline, folder: Path, action: int, account: str, secrets: Secrets = SECRETS) -> None:
    """As the desk does it."""
    pipeline.commit()
    pipeline.remember(action, used(folder, [account], secrets)[account], "fairgate", "what it used")
    pipeline.commit()


def test_who_comes_back_is_caught_until_the_last_ban_that_speaks_for_it_is_undone(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, PACK, clock=clock) as pipeline:
        answers(pipeline, signup(1, "ada", "ada@example.com"), signup(2, "eve", "Ada@Example.com"))
        first, second = ban(pipeline, "ada"), ban(pipeline, "eve")
        assert [each.number for each in pipeline.engine.memory.waiting(NOW)] == [first, second]
        assert not caught(pipeline, 3, "ada@example.com")
        remember(pipeline, tmp_path, first, "ada")
        remember(pipeline, tmp_path, second, "eve")
        assert pipeline.engine.memory.waiting(NOW) == []
        assert caught(pipeline, 4, "ADA@example.com")
        assert not caught(pipeline, 5, "eva@example.com")
        pipeline.undo([first], "bob", "an error")
        assert caught(pipeline, 6, "ada@example.com")
        pipeline.undo([second], "bob", "an error, too")
        assert not caught(pipeline, 7, "ada@example.com")
    reread(tmp_path)
    with open_pipeline(tmp_path, PACK, clock=clock) as again:
        assert not caught(again, 8, "ada@example.com")


def test_the_memory_outlives_restarts_with_and_without_snapshots_and_a_cut(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, PACK, clock=clock) as pipeline:
        answers(pipeline, signup(1, "ada", "ada@example.com"), signup(2, "eve", "eve@example.com"))
        first, second = ban(pipeline, "ada"), ban(pipeline, "eve")
        for number, account in ((first, "ada"), (second, "eve")):
            remember(pipeline, tmp_path, number, account)
    with open_pipeline(tmp_path, PACK, clock=clock) as from_the_log:
        assert caught(from_the_log, 3, "ada@example.com")
        snapshot(from_the_log)
    with open_pipeline(tmp_path, PACK, clock=clock) as from_a_snapshot:
        from_a_snapshot.undo([second], "bob", "an error")
        clock.time += 40 * DAY
        assert from_a_snapshot.restate()
        snapshot(from_a_snapshot)
        assert from_a_snapshot.cut(clock.time - 1, from_a_snapshot.log.end()) == 0
        clock.time += 2 * DAY
        from_a_snapshot.restate()
        snapshot(from_a_snapshot)
        assert from_a_snapshot.cut(clock.time - 1, from_a_snapshot.log.end()) > 0
    for each in (tmp_path / "snapshots").iterdir():
        shutil.rmtree(each)
    with open_pipeline(tmp_path, PACK, clock=clock) as from_what_was_left:
        assert caught(from_what_was_left, 4, "ada@example.com")
        assert not caught(from_what_was_left, 5, "eve@example.com")
        assert from_what_was_left.engine.memory.waiting(clock.time) == []
        clock.time = NOW + 90 * DAY
        assert not caught(from_what_was_left, 6, "ada@example.com")


def test_a_new_secret_changes_nothing_for_who_is_there_and_who_is_erased(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, PACK) as pipeline:
        answers(pipeline, signup(1, "ada", "ada@example.com"), signup(2, "eve", "eve@example.com"))
        first = ban(pipeline, "ada")
        remember(pipeline, tmp_path, first, "ada")
        pipeline.erase("ada", "me", "she asked", keep=60 * DAY)
    with open_pipeline(tmp_path, PACK, secrets=BOTH) as rotated:
        assert caught(rotated, 3, "ada@example.com")
        remember(rotated, tmp_path, ban(rotated, "eve"), "eve", BOTH)
        assert all(
            each.token.startswith("t2:")
            for one in rotated.engine.memory.of(Subject("account", "eve"))
            for each in one.items
        )
        assert caught(rotated, 4, "eve@example.com")
        answers(rotated, signup(5, "eve", "eve@example.com"))
        assert len(used(tmp_path, ["eve"], BOTH)["eve"]["mailboxes"]) == 1  # under either secret it is one
        rotated.undo([first], "bob", "an error")
        assert not caught(rotated, 6, "ada@example.com")


@pytest.mark.parametrize(("keep", "days"), [(None, ()), (30 * DAY, (29,)), (400 * DAY, (29, 31, 89))])
def test_an_erasure_leaves_what_the_policy_says_and_no_longer(
    tmp_path: Path, keep: int | None, days: tuple[int, ...]
) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, PACK, clock=clock) as pipeline:
        answers(pipeline, signup(1, "ada", "ada@example.com"), signup(2, "eve", "eve@example.com"))
        first = ban(pipeline, "ada")
        remember(pipeline, tmp_path, first, "ada")
        left = pipeline.erase("ada", "me", "she asked", keep)
        assert bool(left) is (keep is not None)
        assert all(each.until <= min(NOW + 90 * DAY, NOW + (keep or 0)) for one in left for each in one.items)
        again = pipeline.erase("ada", "me", "she asked again", None if keep is None else 700 * DAY)
        assert again == left  # asking again makes it no longer
        unseen = ban(pipeline, "eve")
        pipeline.erase("eve", "me", "she asked", keep)
        assert unseen not in [each.number for each in pipeline.engine.memory.waiting(NOW)]
    for number, after in enumerate((29, 31, 89, 91)):
        clock.time = NOW + after * DAY
        with open_pipeline(tmp_path, PACK, clock=clock) as pipeline:
            assert caught(pipeline, 10 + number, "ada@example.com") is (after in days), after
    held = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert b"ada@example" not in held
    reread(tmp_path)


def test_whoever_has_nothing_recorded_can_not_be_erased_and_what_waits_is_no_more(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, PACK) as pipeline:
        with pytest.raises(NothingSealed):
            pipeline.erase("nobody", "me", "why")
        number = ban(pipeline, "nobody")
        assert pipeline.erase("nobody", "me", "why") == []
        assert pipeline.engine.memory.waiting(NOW) == []
        with pytest.raises(NoSuchEntry):
            pipeline.remember(number + 1, {}, "me", "why")
        with pytest.raises(NotRemembered, match=f"Action {number} "):
            pipeline.remember(number, {"friends": []}, "me", "why")
        pipeline.undo([number], "me", "why")
        with pytest.raises(NotRemembered):
            pipeline.remember(number, {}, "me", "why")
    reread(tmp_path)


# ------------------------------------------------------------------------------------------------ whose things they are


def test_what_many_use_is_nobodys_and_who_uses_many_has_other_peoples(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, PACK) as pipeline:
        campus = [signup(number, f"student{number}", f"s{number}@uni.example", "192.0.2.1") for number in range(4)]
        crook = [request(number, "crook", ip=f"203.0.113.{number}") for number in range(MOST_EACH)]
        answers(pipeline, *campus, *crook, signup(10, "family1", "home@example.com", "192.0.2.9"))
        answers(pipeline, signup(11, "family2", "home@example.com", "192.0.2.9"))
        found = used(tmp_path, ["student1", "crook", "family1", "nobody"])
        assert (len(found["student1"]["mailboxes"]), len(found["student1"]["addresses"])) == (1, 0)
        assert (len(found["family1"]["mailboxes"]), len(found["family1"]["addresses"])) == (1, 1)
        assert len(found["crook"]["addresses"]) == MOST_EACH
        assert found["nobody"] == {}
        answers(pipeline, request(99, "crook", ip="203.0.113.99"), signup(12, "family3", "o@example.com", "192.0.2.9"))
        found = used(tmp_path, ["crook", "family1"])
        assert "addresses" not in found["crook"]
        assert found["family1"]["addresses"] == []


def test_what_is_in_the_lake_already_and_what_is_not_are_looked_through_alike(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, PACK) as pipeline:
        answers(pipeline, *(signup(number, "ada", f"ada{number}@example.com") for number in range(3)))
        before = used(tmp_path, ["ada"])
        with open_log(tmp_path / "log", read_only=True) as log, open_lake(tmp_path / "lake") as lake:
            while Compaction(log, lake, checked_from).step():
                pass
        assert used(tmp_path, ["ada"]) == before
        answers(pipeline, signup(9, "ada", "ada9@example.com"))
        assert used(tmp_path, ["ada"])["ada"]["mailboxes"][:3] == before["ada"]["mailboxes"]
