"""What an erasure leaves in the records: no words of appeals and no challenge, of whoever it was and of nobody else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.domain.appeal import Appeal
from fairgate.domain.challenge import Challenge
from fairgate.domain.errors import NothingSealed
from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Tokens
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline import erasing
from fairgate.pipeline.erasing import Erasing
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.projection import Projection
from fairgate.ports.appeals import ERASED
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, SECRETS, body, open_pipeline
from tests.unit.pipeline.live import answers

PERSONAL = PACK.replace("account = { entity", "account = { personal = true, entity")
MAILBOXES = PACK.replace("account = { entity", 'account = { type = "email", entity').replace(
    '["friend"]', '["friend@example.com"]'
)


@contextmanager
def opened(folder: Path, pack: str = PACK) -> Iterator[tuple[Pipeline, Records]]:
    with open_pipeline(folder, pack) as pipeline, open_records(folder) as records:
        yield pipeline, records


def read(folder: Path, pipeline: Pipeline, records: Records) -> None:
    """Let the records see the log."""
    pipeline.commit()
    with closing(SegmentReader.open(folder / "log")) as log:
        watcher = Erasing(records.appeals, records.challenges, log, lambda: SECRETS)
        projection = Projection(log, records.ledger, [], pack_from_texts, [watcher])
        projection.step(NOW)


def challenge(records: Records, account: str) -> str:
    asked = Challenge(account, "captcha", account, None, "shop", account, NOW, NOW + 9, 1, "", '{"ip":"203.0.113.9"}')
    assert records.challenges.put(asked, 9, 0).new
    return account


def appeal(records: Records, kind: str, value: str) -> int:
    number = len(records.appeals.about_others("", -1, 99))
    asked = Appeal(-1, number, Subject(kind, value), "ann", NOW, "shop", NOW, "It was me.", f"{number}")
    return records.appeals.file(asked).appeal.number


def words(records: Records, number: int) -> str:
    found = records.appeals.get(number)
    assert found is not None
    return found.words


@pytest.mark.parametrize(
    ("pack", "account", "spelt"),
    [
        (PACK, "ada", "ada"),
        (PERSONAL, "ada", "ada"),
        (PERSONAL, "ada", Tokens(SECRETS.current, SECRETS.newest).text("ada")),
        (MAILBOXES, "ada@example.com", "Ada@Example.COM"),
    ],
    ids=["plain", "personal", "by its token", "spelt in another way"],
)
def test_the_challenges_of_whoever_is_erased_are_gone(tmp_path: Path, pack: str, account: str, spelt: str) -> None:
    with opened(tmp_path, pack) as (pipeline, records):
        answers(pipeline, body({"account": account, "email": "ada@example.com"}, id="1"))
        gone, other = challenge(records, spelt), challenge(records, "bob@example.com")
        read(tmp_path, pipeline, records)
        assert records.challenges.get(gone) is not None
        pipeline.erase(account, "me", "she asked")
        read(tmp_path, pipeline, records)
        assert records.challenges.get(gone) is None
        assert records.challenges.get(other) is not None


def test_appeals_about_what_they_alone_used_are_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "_PAGE", 2)
    with opened(tmp_path) as (pipeline, records):
        for number, (account, device) in enumerate((("ada", "own"), ("ada", "shared"), ("bob", "shared"))):
            data = {
                "account": account,
                "email": f"{account}@example.com",
                "device": device,
                "ip": f"203.0.113.{number}",
            }
            answers(pipeline, body(data, id=f"{number}"))
        address = Tokens(SECRETS.current, SECRETS.newest).text("203.0.113.0")
        file = partial(appeal, records)
        mine, own, by_token = file("account", "ada"), file("device", "own"), file("ip", address)
        bobs, shared, unknown = file("account", "bob"), file("device", "shared"), file("device", "nobody's")
        another = file("email", "own")  # of that name, and of another kind
        pipeline.erase("ada", "me", "she asked")
        read(tmp_path, pipeline, records)
        read(tmp_path, pipeline, records)  # seen again
        assert [words(records, number) for number in (mine, own, by_token)] == [ERASED] * 3
        assert [words(records, number) for number in (bobs, shared, unknown, another)] == ["It was me."] * 4


def test_how_many_actions_stay_is_known(tmp_path: Path) -> None:
    with opened(tmp_path) as (pipeline, _):
        answers(pipeline, body({"account": "ada", "email": "ada@example.com"}, id="1"))
        assert pipeline.actions_on("ada") == pipeline.actions_on("x" * 999) == 0
        with pytest.raises(NothingSealed):
            pipeline.erase("nobody", "me", "she asked")
