"""A bulk action on 10,000 accounts through the whole flow: preview, run and undo, the desk killed in both."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.e2e.desks import until
from tests.e2e.doors import ROOT
from tests.e2e.test_appeals import told
from tests.e2e.test_bulk import Service, came_to, drafted, killed, signed_up

_MANY = 10_000


def run() -> list[Row]:
    """The figures of bulk actions."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name, ExitStack() as stack:
        service = Service(Path(name), stack)
        signed_up(service, *(f"acc_{number:05}" for number in range(_MANY)))
        with service.as_("ann") as (_, desk):
            began = time.perf_counter()
            draft = drafted(desk)
            preview = time.perf_counter() - began
            told(desk.post(f"/v1/bulk/{draft['number']}/confirm", json={"typed": draft["phrase"]}))
        acted = _timed(service, draft["number"], "approve", None, "done")
        undone = _timed(service, draft["number"], "undo", {"why": "all wrong"}, "undone")
    return [
        Row(f"the preview of a bulk action on {_MANY:,} accounts", preview, "s"),
        Row("from its approval until all are suspended, the desk killed on the way", acted, "s", op="<=", target=10),
        Row("the same undone, the desk killed on the way", undone, "s", op="<=", target=10),
    ]


def _timed(service: Service, number: int, what: str, body: object, state: str) -> float:
    with service.as_("bob") as (_, desk):
        began = time.perf_counter()
        told(desk.post(f"/v1/bulk/{number}/{what}", json=body))

        def under_way() -> bool:
            progress = told(desk.get(f"/v1/bulk/{number}"))["progress"]
            return bool(progress["met"] if what == "undo" else progress["taken"])

        until(under_way)
    killed(service)
    came_to(service, number, state)
    return time.perf_counter() - began
