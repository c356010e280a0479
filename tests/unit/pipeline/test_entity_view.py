"""An entity as it stands now: its features by name, in any spelling or by token, and the lists it is in."""

import math
from pathlib import Path

import pytest

from fairgate.domain.errors import BadEntity, NoSuchEntityKind
from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline.entity_view import EntityView, entity_view
from fairgate.pipeline.online import Pipeline
from tests.support import NOW, PACK, SetClock, body, open_pipeline, request
from tests.unit.pipeline.live import answers, snapshot

NAMED = PACK + """
[[feature]]
name = "sign_ups"
value = 'count("account.signup", by=email, over="24h")'
on = ["account.signup"]

[[feature]]
name = "seat_requests"
value = 'count("api.request", by=seats, over="24h")'
on = ["api.request"]

[[feature]]
name = "first_time"
value = 'first(time, on="account.signup", by=account)'
on = ["account.signup", "api.request"]
"""  # fmt: skip
SEATED = NAMED.replace('seats = "integer"', 'seats = { type = "integer", entity = "seat" }')


def values(view: EntityView) -> dict[str, object]:
    return {each.name: each.value for each in view.features}


def view(pipeline: Pipeline, kind: str, value: str, now: int = NOW) -> EntityView:
    return entity_view(pipeline.engine, kind, value, now)


def test_features_have_their_names_and_where_they_are_read(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, NAMED) as pipeline:
        answers(pipeline, body({"account": "a"}), *(request(number, cost=3.0, model="big") for number in range(2)))
        found = {each.name: each for each in view(pipeline, "account", "a").features}
    spent = found['total(cost, on="api.request", by=account, over="1h")']
    assert (spent.value, spent.aggregate.over.name, spent.read_at) == (6.0, "1h", ("api.request",))
    assert found["first_time"].value == NOW
    assert found["first_time"].read_at == ("account.signup", "api.request")
    assert found['last(model, on="api.request", by=account)'].value == "big"
    assert not any(name.startswith("is_new") for name in found)


def test_a_personal_entity_is_found_in_any_spelling_and_by_its_token(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, NAMED) as pipeline:
        answers(pipeline, body({"email": "A.Nna+1@GoogleMail.com"}), body({"email": "anna@gmail.com"}, id="2"))
        token = pipeline.engine.tokens.text("anna@gmail.com")
        by_text, by_token = view(pipeline, "email", "a.nna@gmail.com"), view(pipeline, "email", token)
    assert (by_text.value, by_text.token, by_token.value, by_token.token) == ("anna@gmail.com", token, token, token)
    assert values(by_text) == values(by_token) == {"sign_ups": 2.0}
    assert by_text.seen


def test_an_entity_that_is_a_number(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, SEATED) as pipeline:
        answers(pipeline, request(1, seats=7), request(2, seats=7))
        assert [values(view(pipeline, "seat", text)) for text in ("7", "7.0", "8")] == [
            {"seat_requests": count} for count in (2.0, 2.0, 0.0)
        ]
        assert view(pipeline, "seat", "7.0").value == "7"
        with pytest.raises(BadEntity, match="is not a number"):
            view(pipeline, "seat", "seven")


def test_windows_end_while_nothing_comes_in(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, NAMED) as pipeline:
        answers(pipeline, request(1, cost=3.0))
        spent = 'total(cost, on="api.request", by=account, over="1h")'
        assert [values(view(pipeline, "account", "a", NOW + later))[spent] for later in (-DAY, 0, 2 * HOUR, 0)] == [
            3.0, 3.0, 0.0, 3.0
        ]  # fmt: skip


def test_one_never_met_has_nothing(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, NAMED) as pipeline:
        rows = pipeline.engine.rows.size()
        found = view(pipeline, "account", "nobody")
        assert pipeline.engine.rows.size() == rows
    assert not found.seen
    assert values(found)["first_time"] is None
    assert all(each.value in (None, 0.0) or math.isnan(float(each.value or 0)) for each in found.features)


@pytest.mark.parametrize(
    ("kind", "value", "error", "words"),
    [
        ("acount", "a", NoSuchEntityKind, "there are account"),
        ("email", "nobody", BadEntity, "has no @"),
        ("account", "", BadEntity, "is empty"),
        ("email", "t9:" + "0" * 32, BadEntity, "another version"),
    ],
)
def test_what_can_be_no_entity_is_told(
    tmp_path: Path, kind: str, value: str, error: type[Exception], words: str
) -> None:
    with open_pipeline(tmp_path, NAMED) as pipeline, pytest.raises(error, match=words):
        view(pipeline, kind, value)


def test_the_lists_it_stands_in_after_a_restart_too(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, NAMED, clock=clock) as pipeline:
        pipeline.put_in_list("bad_mail", "a.nna@gmail.com", NOW + DAY, "desk", "a case")
        pipeline.put_in_list("banned", "crook", NOW + DAY, "desk", "another")
        pipeline.commit()
        snapshot(pipeline)
        pipeline.put_in_list("banned", "crook", NOW + HOUR, "night desk", "shorter")
        pipeline.commit()
    with open_pipeline(tmp_path, NAMED, clock=clock) as pipeline:
        [mail] = view(pipeline, "email", "anna@gmail.com").lists.values()
        [crook] = view(pipeline, "account", "crook").lists.values()
    assert mail.told is not None
    assert crook.told is not None
    assert (mail.until, mail.told.by, mail.told.why) == (NOW + DAY, "desk", "a case")
    assert (crook.until, crook.told.by, crook.told.why) == (NOW + HOUR, "night desk", "shorter")
