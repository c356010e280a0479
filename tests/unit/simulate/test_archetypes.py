"""What holds for every archetype: the door takes it, the same again is the same, it leaves where nothing pays."""

import json
from collections import Counter

import pytest

from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.world_file import Loaded
from fairgate.wiring import load_checked
from tests.unit.simulate.campaigns import campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

EVERY = sorted(archetypes())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("kind", EVERY)
def test_the_door_takes_what_it_does(world: Loaded, kind: str) -> None:
    checked = load_checked("ai_api")
    known = {name: {each.name for each in kind.attributes} for name, kind in checked.pack.event_types.items()}
    decoder, sent = Decoder(checked, 0), Counter[str]()

    def decides(event: dict[str, object], time: int) -> Action:
        taken = decoder.single(json.dumps(event).encode(), time)
        assert isinstance(taken, Event), taken
        assert set(said(event)) <= known[taken.type], taken.type
        sent[taken.type] += 1
        return Action.ALLOW

    found = campaign(kind, world, decides, days=30)
    assert sum(sent.values()) > 20
    assert found.abuse
    assert all(each.act.actor.kind == kind for each in found.abuse)


@pytest.mark.parametrize("kind", EVERY)
def test_where_nobody_minds_it_pays_and_it_stays(world: Loaded, kind: str) -> None:
    found = campaign(kind, world, nobody_minds, days=40)
    assert found.served > 0
    assert found.profit > 0
    assert found.left is None


@pytest.mark.parametrize("kind", EVERY)
def test_the_same_seed_gives_the_same_and_another_something_else(world: Loaded, kind: str) -> None:
    one, again = (campaign(kind, world, nobody_minds, days=12) for _ in range(2))
    assert one.book == again.book
    assert [(each.act.time, each.act.type, each.act.data) for each in one.abuse] == [
        (each.act.time, each.act.type, each.act.data) for each in again.abuse
    ]
    assert campaign(kind, world, nobody_minds, days=12, seed=2).book != one.book


@pytest.mark.parametrize("kind", EVERY)
def test_where_all_it_does_is_stopped_it_leaves_and_says_why(world: Loaded, kind: str) -> None:
    found = campaign(kind, world, lambda event, _: Action.SUSPEND if _abuse(event) else Action.ALLOW, days=400)
    assert found.left is not None
    [at] = [each.time for each in found.book if each.what == "leaves"]
    late = [each for each in found.abuse if each.act.time > at + 20 * DAY]
    assert not late


def _abuse(event: dict[str, object]) -> bool:
    """All that opponents do here needs one of these; honest people are stopped with them, which is nobody's concern."""
    return event["type"] in {"account.signup", "account.login", "payment.method_added", "api.request", "key.created"}
