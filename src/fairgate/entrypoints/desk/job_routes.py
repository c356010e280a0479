"""Jobs over HTTP: backtests and exports, how far they are, and what they made."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import FileResponse, Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import fingerprint
from fairgate.domain.ledger import Subject
from fairgate.entrypoints.desk.answers import BacktestAsked, ExportAsked, JobAnswer, JobList, PackAsked
from fairgate.entrypoints.desk.jobs import GOING, Job
from fairgate.entrypoints.desk.office import Desk, Office, Viewer, needs, told_of, views
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.desk.sql_routes import MEDIA
from fairgate.entrypoints.desk.tasks import REPORT_JSON, REPORT_PAGE, Backtest, Export, PackFolder, PackGiven, PackTexts
from fairgate.wiring import SHIPPED, pack_folder

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
#: A page of a report runs nothing, whatever stands in it.
_PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}

routes = APIRouter(tags=["Jobs"])
Reader = Annotated[Granted, Depends(needs(Scope.READ))]
Viewing = Annotated[Viewer, Depends(views(Scope.SQL))]


class _Shown(msgspec.Struct):
    """A `JobAnswer` whose report is there as JSON already."""

    job: Job
    result: msgspec.Raw


@routes.post(
    "/v1/backtests", status_code=202, response_model=JobAnswer, responses=documented(401, 403, 413, 422, 429, 500, 503)
)
async def backtest(asked: BacktestAsked, desk: Desk, granted: Reader) -> Response:
    """Compare two packs on history; the job's id says where the report will be. Scope `read`."""
    old = PackFolder(str(pack_folder(desk.settings.pack))) if asked.old is None else _pack(desk, asked.old, "old")
    new = _pack(desk, asked.new, "new")
    about = f"{_named(asked.old, desk.settings.pack)} against {_named(asked.new, '')}"
    job = desk.jobs.new("backtest", granted.by, about, file=REPORT_PAGE)
    desk.jobs.submit(job, lambda folder: Backtest(old, new, asked.rule, asked.days, str(folder)))
    return _shown(desk, job, 202)


@routes.post(
    "/v1/exports", status_code=202, response_model=JobAnswer, responses=documented(401, 403, 413, 422, 429, 500, 503)
)
async def export(asked: ExportAsked, desk: Desk, viewer: Viewing) -> Response:
    """Write all rows of a query to a file, to be fetched when the job is done. Scopes as for `/v1/sql`."""
    granted, seen = viewer
    personal = seen.shown
    await desk.audited(granted, "export", asked.query, seen)
    name = f"export.{asked.format}"
    about = f"{asked.format} of the query with the hash {fingerprint(asked.query)[:16]}"
    job = desk.jobs.new("export", granted.by, about, file=name, personal=personal)
    desk.jobs.submit(job, lambda folder: Export(asked.query, asked.format, personal, str(folder / name)))
    return _shown(desk, job, 202, told_of(seen))


@routes.get("/v1/jobs", response_model=JobList, responses=documented(401, 403))
async def jobs(desk: Desk, _: Reader) -> Response:
    """All jobs of late, the newest first. Scope `read`."""
    return _json({"jobs": desk.jobs.folders.all()})


@routes.get("/v1/jobs/{job_id}", response_model=JobAnswer, responses=documented(401, 403, 404))
async def job(job_id: str, desk: Desk, _: Reader) -> Response:
    """One job, with the report of a backtest that is done. Scope `read`."""
    return _shown(desk, _found(desk, job_id))


@routes.delete("/v1/jobs/{job_id}", response_model=JobAnswer, responses=documented(401, 403, 404, 409))
async def cancel(job_id: str, desk: Desk, granted: Reader) -> Response:
    """End a job that is going. Scope `read`, and the key that asked for it or the scope `admin`."""
    found = _found(desk, job_id)
    if found.by != granted.by and Scope.ADMIN not in granted.scopes:
        raise Refusal(403, "not_yours", "only the key that asked for a job may end it, or one with the scope admin")
    if found.state not in GOING:
        raise Refusal(409, "job_ended", f"this job is {found.state} already")
    return _shown(desk, desk.jobs.cancel(found))


@routes.get(
    "/v1/jobs/{job_id}/report.html",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}, **documented(401, 403, 404)},
)
async def report(job_id: str, desk: Desk, _: Reader) -> Response:
    """The report of a backtest as one page. Scope `read`."""
    return FileResponse(_made(desk, job_id, "backtest")[1], media_type="text/html", headers=_PAGE_HEADERS)


@routes.get(
    "/v1/jobs/{job_id}/file",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        **documented(401, 403, 404),
    },
)
async def file(job_id: str, desk: Desk, viewer: Viewing) -> Response:
    """What an export wrote. Scope `sql`; `personal` and a reason as well where personal values can be read in it."""
    granted, seen = viewer
    found, path = _made(desk, job_id, "export")
    if found.personal and Scope.PERSONAL not in granted.scopes:
        raise Refusal(403, "scope_missing", "personal values can be read in this file: it needs the scope personal")
    if found.personal:
        if not seen.shown:
            what = f"personal values can be read in this file: say why in the header Fairgate-Reason ({seen.told})"
            raise Refusal(403, "no_reason", what)
        await desk.audit.read(granted, [Subject("export", job_id)], seen)
    media = next(media for kind, media in MEDIA.items() if path.suffix == f".{kind}")
    return FileResponse(path, media_type=media, filename=path.name, headers={"Cache-Control": "no-store"})


def _found(desk: Office, job_id: str) -> Job:
    found = desk.jobs.folders.get(job_id)
    if found is None:
        raise Refusal(404, "not_found", "there is no such job; old ones are removed after some days")
    return found


def _made(desk: Office, job_id: str, kind: str) -> tuple[Job, Path]:
    """A job and the file that it made."""
    found = _found(desk, job_id)
    if found.kind != kind or found.state != "done":
        raise Refusal(404, "not_found", f"this {found.kind} is {found.state}, and has no such file")
    return found, desk.jobs.folders.folder(found) / found.file


def _pack(desk: Office, asked: PackAsked, field: str) -> PackGiven:
    """A pack as asked for. A name can't lead anywhere but into the two folders."""
    if not isinstance(asked, str):
        return PackTexts(asked)
    if _NAME.fullmatch(asked):
        for folder in (desk.settings.desk.packs, SHIPPED):
            if folder is not None and (folder / asked).is_dir():
                return PackFolder(str(folder / asked))
    where = "the folder of the setting desk.packs" if desk.settings.desk.packs is not None else "those that ship"
    raise Refusal(422, "no_such_pack", f"there is no pack of this name in {where}", field)


def _named(asked: PackAsked | None, live: str) -> str:
    """A pack in a few words."""
    if asked is None:
        return f"{Path(live).name} (live)"
    return asked if isinstance(asked, str) else "a pack that was sent"


def _shown(desk: Office, shown: Job, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    path = desk.jobs.folders.folder(shown) / REPORT_JSON
    done = shown.kind == "backtest" and shown.state == "done"
    return _json(_Shown(shown, msgspec.Raw(path.read_bytes() if done else b"null")), status, headers)


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
