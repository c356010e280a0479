"""The page that puts the share in front of a gateway is followed, and the reference has all that there is."""

import json
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.entrypoints.access import new_key
from fairgate.entrypoints.share import asgi, handlers, webhook
from fairgate.entrypoints.share.asgi import ROUTES
from fairgate.settings import read_settings
from tests.e2e.doors import ROOT, wait_until
from tests.e2e.shares import OpenShare, served, settings_for, sharing
from tests.e2e.test_how_to import block

REFERENCE = (ROOT / "docs" / "reference" / "share-http.md").read_text("utf-8")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[OpenShare, str]]:
    """A sidecar with the pools of the page, and a key for it."""
    (tmp_path / "fairgate.toml").write_text(block("share.md", "[[share.pool]]"))
    pools = read_settings(tmp_path / "fairgate.toml").share.pools
    with open_api_keys(tmp_path / "keys.db") as keys:
        text, key = new_key("gateway", frozenset({Scope.SHARE, Scope.READ, Scope.ENFORCE}), 1, None)
        keys.add(key)
        with sharing(settings_for(tmp_path, *pools), keys) as share:
            share.client.headers["authorization"] = f"Bearer {text}"
            yield share, text


def typed(script: str, share: OpenShare, key: str) -> str:
    script = script.replace("http://localhost:8082", share.url).replace("fg_...", key)
    lines = [line for line in script.splitlines(keepends=True) if not line.startswith('{"')]
    shell = f"export SHARE={share.url} FAIRGATE_KEY={shlex.quote(key)} NO_PROXY='*'\n{''.join(lines)}"
    done = subprocess.run(["/bin/bash", "-euc", shell], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_do_what_the_page_says(page: tuple[OpenShare, str]) -> None:
    share, key = page
    asked = block("share.md", "/v1/share/acquire")
    shown = json.loads(asked.strip().splitlines()[-1])
    answer = json.loads(typed(asked, share, key))
    assert set(answer) == set(shown)
    assert answer["estimate"] == shown["estimate"]
    told = block("share.md", "/v1/share/settle").replace(shown["grant"], answer["grant"])
    assert typed(told, share, key) == '{"charged":true,"stop":false}{"settled":true}'
    said = typed(block("share.md", "/v1/share/principal"), share, key)
    assert said == '{"account":"acc_9","applied":true,"version":0}{"pool":"large","capacity":10000.0}'
    looked = typed(block("share.md", "/v1/share/explain"), share, key)
    assert "A ceiling holds it to 1.00%" in looked
    assert '"capacity":10000.0' in looked


def test_the_middleware_of_the_page_runs(page: tuple[OpenShare, str], monkeypatch: pytest.MonkeyPatch) -> None:
    share, key = page

    async def chat(request: Request) -> Response:
        await request.body()
        return JSONResponse({"usage": {"prompt_tokens": 10, "completion_tokens": 5}})

    yours = types.ModuleType("my_gateway")
    vars(yours).update(
        app=Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])]),
        user_of=lambda scope: dict(scope["headers"]).get(b"x-test-user", b"").decode() or None,
    )
    monkeypatch.setitem(sys.modules, "my_gateway", yours)
    monkeypatch.setenv("SHARE", share.url)
    monkeypatch.setenv("FAIRGATE_KEY", key)
    made: dict[str, object] = {}
    exec(block("share.md", "from fairgate.integrations.asgi import FairShare"), made)  # noqa: S102 - it is the test
    with served(made["app"], "on") as url, httpx.Client(base_url=url, trust_env=False) as client:  # type: ignore[arg-type]
        body = {"model": "large-1", "messages": []}
        assert client.post("/v1/chat/completions", json=body, headers={"x-test-user": "ann"}).status_code == 200
        assert client.post("/v1/chat/completions", json=body).status_code == 200
        wait_until(lambda: share.pool()["used"] == 10 + 2 * 5)
    assert made["app"].gate.counts == {"granted": 1, "settled": 1}  # type: ignore[attr-defined]


def test_the_reference_has_every_route_with_its_scope() -> None:
    rows = re.findall(r"(?m)^\| `(GET|POST) (\S+)` \| `?(\w+)`? \|", REFERENCE)
    assert rows == [(route.method, route.path, route.scope or "none") for route in ROUTES]


def test_the_reference_has_every_metric_and_no_other(page: tuple[OpenShare, str]) -> None:
    share, _ = page
    families = text_string_to_metric_families(share.client.get("/metrics").text)
    kinds = {
        f"{each.name}_total" if each.type == "counter" else each.name: each.type
        for each in families
        if each.name.startswith("fairgate_") and not each.name.endswith("_created")
    }
    rows = dict(re.findall(r"(?m)^\| `(fairgate_\w+)` \| (\w+) \|", REFERENCE))
    assert rows == kinds


def test_the_reference_has_every_error() -> None:
    codes = set(re.findall(r"(?m)^\| \d{3} \| (.*?) \|", REFERENCE))
    listed = {code for cell in codes for code in re.findall(r"`(\w+)`", cell)}
    sources = [Path(each.__file__ or "").read_text("utf-8") for each in (asgi, handlers, webhook)]
    used = {code for source in sources for code in re.findall(r'(?:refusal|Unfit)\(\s*\d{3}, "(\w+)"', source)}
    used |= {code for source in sources for code in re.findall(r'\(\d{3}, "(\w+)", ', source)}
    assert used <= listed
    assert len(used) > 12


def test_the_settings_of_the_page_are_read(tmp_path: Path) -> None:
    (tmp_path / "fairgate.toml").write_text(block("share.md", "[[share.pool]]"))
    large, rest = read_settings(tmp_path / "fairgate.toml").share.pools
    assert (large.models, large.capacity, large.prices.output) == (["large-*"], 20_000, 2.0)
    assert (rest.models, rest.unit) == ([], "gpu_seconds")
