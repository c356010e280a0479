"""The console's files: what is there is served under its policy, and nothing else is."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from fairgate.entrypoints.desk import console
from tests.unit.entrypoints.test_desk_app import Desk


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "console"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>pages</title>")
    (folder / "assets" / "index-1a2b.js").write_text("1")
    (tmp_path / "elsewhere").write_text("not for anybody")
    monkeypatch.setattr(console, "BUILT", folder)
    return folder


def test_every_page_is_the_console_under_a_policy_for_its_own_scripts_alone(tmp_path: Path, built: Path) -> None:
    with ExitStack() as stack:
        desk = Desk(tmp_path, stack, {})
        for path in ("/", "/review", "/review/12", "/anything/at/all"):
            answer = desk.ask("GET", path)
            assert (answer.status_code, answer.content) == (200, (built / "index.html").read_bytes())
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-cache"


def test_files_are_kept_for_ever_and_no_other_is_given_out(tmp_path: Path, built: Path) -> None:
    with ExitStack() as stack:
        desk = Desk(tmp_path, stack, {})
        there = desk.ask("GET", "/assets/index-1a2b.js")
        assert (there.status_code, there.content) == (200, b"1")
        assert "immutable" in there.headers["cache-control"]
        (built / "assets" / "link.js").symlink_to(tmp_path / "elsewhere")
        for name in ("none.js", "%2e%2e%2findex.html", "..%2f..%2felsewhere", "link.js", "..", "%00"):
            answer = desk.ask("GET", f"/assets/{name}")
            assert b"not for anybody" not in answer.content
            assert answer.status_code in {200, 404}
            assert answer.status_code == 404 or answer.content == (built / "index.html").read_bytes()


def test_what_is_no_page_is_no_route(tmp_path: Path, built: Path) -> None:
    with ExitStack() as stack:
        desk = Desk(tmp_path, stack, {})
        for path in ("/v1/nothing", "/v1"):
            answer = desk.ask("GET", path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert desk.ask("GET", "/v1/sql").status_code == 405
        assert desk.ask("POST", "/review").status_code == 405
        (built / "index.html").unlink()
        missing = desk.ask("GET", "/review")
        assert (missing.status_code, "was not built" in missing.text) == (503, True)
