"""Labels as events of the pack's own label types."""

from pathlib import Path

import pytest

from fairgate.domain.errors import BadLabel
from fairgate.domain.event import Event
from fairgate.pipeline.labels import Said, label_event
from fairgate.pipeline.online import Pipeline
from tests.support import NOW, PACK, body, open_pipeline, request
from tests.unit.pipeline.live import answers

_LABELS = """
[event."account.label"]
label_of = ["account.signup", "api.request"]

[event."account.label".attributes]
of = { required = true }
bad = "bool"
account = { entity = "account" }
email = { type = "email", entity = "email", personal = true }
kind = "text"
said_by = "text"
"""
LABELLED = PACK + _LABELS
_SPEND_ONLY = (
    _LABELS.replace("account.label", "spend.label").replace('"account.signup", ', "").replace('kind = "text"\n', "")
)
TWICE = LABELLED + _SPEND_ONLY


def said(by: str = "desk", *, bad: bool = True, **changes: str) -> Said:
    more: dict[str, str] = {name: changes.pop(name) for name in ("kind", "said_by") if name in changes}
    return Said(by=by, bad=bad, more=more, type=changes.get("type", ""), id=changes.get("id", ""))


def labelled(pipeline: Pipeline, sequence: int, words: Said) -> Event:
    spoken_of = pipeline.explainer.explain(sequence, personal=True)
    return label_event(pipeline.engine.checked.pack, pipeline.decoder.wires, spoken_of, words, NOW + 7)


def test_a_label_has_what_its_type_shares_with_the_event(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, LABELLED) as pipeline:
        [answer] = answers(pipeline, body({"plan": "free"}, id="x"))
        event = labelled(pipeline, answer.sequence, said(kind="farm"))
        [taken] = pipeline.take([pipeline.decoder.admit(event)])
    assert (event.type, event.source, event.time, event.received) == ("account.label", "test", NOW + 7, NOW + 7)
    data = event.data
    assert (data.of, data.bad, data.account, data.email, data.kind, data.said_by) == (
        "x", True, "a", "a@example.com", "farm", None
    )  # fmt: skip
    assert not hasattr(taken, "code")


def test_the_same_said_again_has_the_same_id_and_nothing_else_has(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, LABELLED) as pipeline:
        one, other = (each.sequence for each in answers(pipeline, body(), request(1)))
        ids = [
            labelled(pipeline, sequence, words).id
            for sequence, words in (
                (one, said()),
                (other, said()),
                (one, said(bad=False)),
                (one, said("night desk")),
                (one, said(kind="farm")),
                (one, said(id="2")),
            )
        ]
        assert len(set(ids)) == len(ids)
        assert labelled(pipeline, one, said()).id == ids[0]


def test_of_what_is_erased_the_rest_is_copied(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, LABELLED) as pipeline:
        [answer] = answers(pipeline, body())
        pipeline.erase("a", "test", "asked for")
        event = labelled(pipeline, answer.sequence, said())
    assert (event.data.account, event.data.email) == ("a", None)


@pytest.mark.parametrize(
    ("text", "raw", "words", "reason", "field"),
    [
        (PACK, body(), said(), "no label type that speaks of account.signup", "of"),
        (TWICE, request(1), said(), r"say which \(account.label, spend.label\)", "type"),
        (TWICE, body(), said(type="spend.label"), "no label type that speaks of account.signup", "type"),
        (TWICE, request(1), said(type="spend.label", kind="farm"), "spend.label has no attribute `kind`", "kind"),
        (
            LABELLED.replace('kind = "text"', 'kind = { type = "text", required = true }'),
            body(),
            said(),
            "can't be made of what account.signup has.*kind",
            "",
        ),
    ],
)
def test_what_the_pack_cannot_take_is_told(  # noqa: PLR0913, PLR0917 - the columns of the table
    tmp_path: Path, text: str, raw: bytes, words: Said, reason: str, field: str
) -> None:
    with open_pipeline(tmp_path, text) as pipeline:
        [answer] = answers(pipeline, raw)
        with pytest.raises(BadLabel, match=reason) as caught:
            labelled(pipeline, answer.sequence, words)
    assert caught.value.field == field


def test_a_label_type_is_chosen_by_name(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, TWICE) as pipeline:
        [answer] = answers(pipeline, request(1))
        assert labelled(pipeline, answer.sequence, said(type="spend.label")).type == "spend.label"


def test_a_label_says_who_picked_the_event_and_that_nobody_could_tell(tmp_path: Path) -> None:
    more = 'source = "text"\nconfidence = "number"\nselected_by = "text"\npropensity = "number"\n'
    told: dict[str, str | float] = {
        "source": "case",
        "confidence": 0.8,
        "selected_by": "dear cheap",
        "propensity": 0.25,
    }
    with open_pipeline(tmp_path, LABELLED + more) as pipeline:
        [answer] = answers(pipeline, body({"plan": "free"}, id="x"))
        event = labelled(pipeline, answer.sequence, Said("ann", None, told, "", ""))
        [taken] = pipeline.take([pipeline.decoder.admit(event)])
    assert not hasattr(taken, "code")
    assert event.data.bad is None
    assert {name: getattr(event.data, name) for name in told} == told
