"""The console: the pages that were built into the package, under a policy that lets them run nothing else."""

import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import FileResponse, HTMLResponse, Response

import fairgate
from fairgate.entrypoints.desk.problems import problem

#: Where the build hook puts them; see hatch_build.py.
BUILT: Final = Path(fairgate.__file__).parent / "console"
#: Style attributes are how the page's library places its dialogs; scripts are files of its own alone.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SAFE: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
_MISSING: Final = "The console was not built into this package. Everything it shows is also to be had over HTTP."


class _Pages(Convertor[str]):
    """Paths that are none of the desk's own: whichever it is, the console knows what to show there."""

    regex = r"(?!v1(?:/|$)|assets/|healthz$|readyz$|metrics$|openapi\.json$)[^\x00-\x1f]{0,2000}"

    def convert(self, value: str) -> str:
        """See the base."""
        return value

    def to_string(self, value: str) -> str:
        """See the base."""
        return value


register_url_convertor("console_page", _Pages())
routes = APIRouter(include_in_schema=False)


@routes.get("/assets/{name}")
async def asset(name: str) -> Response:
    """A file of the pages, whose name has its hash. For everybody."""
    found = BUILT / "assets" / name
    if not _NAME.fullmatch(name) or not _is_ours(found):
        return problem(404, "not_found", "there is no such file")
    return FileResponse(found, headers=_FOREVER)


@routes.get("/icon.svg")
async def icon() -> Response:
    """The pages' icon. For everybody."""
    return (
        FileResponse(BUILT / "icon.svg", headers=_FOREVER)
        if _is_ours(BUILT / "icon.svg")
        else Response(status_code=404)
    )


@routes.get("/{page:console_page}")
async def page(page: str) -> Response:
    """The console, whichever of its pages is asked for. For everybody: what is on them is asked for by themselves."""
    del page
    index = BUILT / "index.html"
    if not _is_ours(index):
        return HTMLResponse(f"<!doctype html><title>Fairgate</title><p>{_MISSING}", 503, _SAFE)
    return FileResponse(index, headers={**_SAFE, "Cache-Control": "no-cache"})


def _is_ours(path: Path) -> bool:
    return path.resolve().is_relative_to(BUILT.resolve()) and path.is_file()
