"""The audit log: how many rows are appended in a second, one by one and together, and how many are checked."""

import tempfile
import time
from pathlib import Path

from fairgate.backends.sql.audit import SqlAudit
from fairgate.backends.sql.sqlite import open_records
from fairgate.domain.audit import Doing, Kind, signed
from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Secrets
from fairgate.pipeline.audit_check import Check, Placed
from tests.benchmarks.rows import Row
from tests.e2e.doors import ROOT

BUILD = ROOT / "build"
_ONE_BY_ONE, _MANY, _BATCH = 300, 200_000, 2_000
_SECRETS = Secrets({1: 7})


def run() -> list[Row]:
    """The figures of the audit log."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, open_records(Path(name) / "records.db") as records:
        audit = SqlAudit(records)
        began = time.perf_counter()
        for number in range(_ONE_BY_ONE):
            audit.append([_doing(number)])
        single = _ONE_BY_ONE / (time.perf_counter() - began)
        began = time.perf_counter()
        for first in range(0, _MANY, _BATCH):
            audit.append([_doing(number) for number in range(first, first + _BATCH)])
        together = _MANY / (time.perf_counter() - began)
        anchor = Placed(0, 0, signed(audit.head(), _SECRETS))
        began = time.perf_counter()
        checked = Check(audit, [anchor], _SECRETS).run()
        walked = checked.rows / (time.perf_counter() - began)
        if not checked.sound or checked.vouched != _ONE_BY_ONE + _MANY:
            raise AssertionError(checked)
    return [
        Row("audit rows appended one by one, each durable", single, "rows/s"),
        Row(f"the same in batches of {_BATCH:,}", together, "rows/s"),
        Row("audit rows checked", walked, "rows/s"),
    ]


def _doing(number: int) -> Doing:
    return Doing(number, "ann", "abcd1234", Kind.READ, Subject("decision", str(number)), "a complaint, ticket 7")
