"""`fairgate backtest` as people run it: the table, the JSON, the page, and what it says when it can't."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairgate.entrypoints.cli import main
from fairgate.settings import Settings
from fairgate.wiring import open_pipeline

PACK = """
[pack]
name = "shop"
version = "{version}"
[[segment]]
name = "default"
[[reason]]
code = "r"
user = "u"
reviewer = "r"
executive = "e"
[event.pay.attributes]
account = {{ entity = "account", required = true }}
amount = "number"
note = "text"
[event."pay.label"]
label_of = "pay"
[event."pay.label".attributes]
of = {{ required = true }}
bad = "bool"
[[rule]]
name = "dear"
on = "pay"
when = "amount > {limit}"
score = 9.0
reason = "r"
mode = "live"
why = "{{amount}}, noted as {{note}}"
[[rule]]
name = "often"
on = "pay"
when = 'count("pay", by=account, over="1h") > 2'
score = 9.0
reason = "r"
mode = "live"
{more}
"""

WIDE = """[[rule]]
name = "wide"
on = "pay"
when = 'distinct(note, by=account, over="24h") > 1'
"""

HOSTILE = '</td><script>alert(1)</script>"><img src=https://example.com/x onerror=alert(2)>{{ 7*7 }}'


def write_pack(folder: Path, version: str, limit: int, more: str = "") -> Path:
    folder.mkdir()
    (folder / "pack.toml").write_text(PACK.format(version=version, limit=limit, more=more), "utf-8")
    return folder


def write_events(path: Path) -> Path:
    lines = []
    for number in range(60):
        moment = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=number)
        common = {"specversion": "1.0", "source": "test", "time": moment.isoformat()}
        data = {"account": f"a{number % 7} {HOSTILE}", "amount": number, "note": f"n{number} {HOSTILE}"}
        lines.append({**common, "id": f"{number} {HOSTILE}", "type": "pay", "data": data})
        if number % 2:
            label = {"of": f"{number} {HOSTILE}", "bad": number % 3 == 0}
            lines.append({**common, "id": f"label {number}", "type": "pay.label", "data": label})
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


class Shop:
    """Two packs, a day of events, and a recording of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.old = write_pack(folder / "old", "1", 54)
        self.new = write_pack(folder / "new", "2", 40)
        self.events = write_events(folder / "events.ndjson")
        self.recording = folder / "recording"
        done = run("replay", "--pack", str(self.old), str(self.events), "--out", str(self.recording))
        assert done.exit_code == 0, done.output

    def backtest(self, *more: str, new: Path | None = None) -> Result:
        packs = ["--old", str(self.old), "--new", str(new or self.new)]
        return run("backtest", *packs, "--recording", str(self.recording), *more)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(main, arguments)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def test_the_table_is_read_at_a_hundred_columns(shop: Shop) -> None:
    done = shop.backtest()
    assert done.exit_code == 0, done.output
    flat = " ".join(done.stdout.split())
    assert "The new pack would have slowed or stopped 6 more pays a day (29 % of the 7 labelled ones bad)." in flat
    assert "Newly affected: 2 accounts." in flat
    assert max(map(len, done.stdout.splitlines())) <= 100
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("dear ")]
    assert row[:6] == ["dear", "condition", "5", "19", "+14", "0"]
    assert "from the recording, no replay" in flat
    assert "49, noted as n49" in flat


def test_the_json_has_everything(shop: Shop) -> None:
    report = json.loads(shop.backtest("--json").stdout)
    dear = next(each for each in report["rules"] if each["name"] == "dear")
    assert (dear["old"]["events"], dear["new"]["events"], dear["gained"]["events"]) == (5, 19, 14)
    assert (dear["gained"]["labelled"], dear["gained"]["bad"]) == (7, 2)
    assert dear["gained"]["precision"]["value"] == pytest.approx(2 / 7)
    assert sum(day["new"] for day in dear["days"]) == 19
    assert report["first"] == "2026-01-05T00:00:00Z"
    assert report["replays"] == []
    assert {each["action"]: each["new"] - each["old"] for each in report["actions"]}["hold"] == 14


def test_one_rule_alone(shop: Shop) -> None:
    report = json.loads(shop.backtest("--json", "--rule", "often").stdout)
    assert [each["name"] for each in report["rules"]] == ["often"]
    done = shop.backtest("--rule", "oftn")
    assert done.exit_code == 1
    assert "No pack has a rule of this name. Asked for `oftn`; there are dear, often." in done.stderr


class Page(HTMLParser):
    """The tags of a page, whether they are closed in order, and its text."""

    VOID = frozenset({"meta", "line", "path", "circle"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_obeys_no_event(shop: Shop) -> None:
    path = shop.folder / "report.html"
    done = shop.backtest("--html", str(path))
    assert done.exit_code == 0, done.output
    page = Page(path.read_text("utf-8"))
    names = {tag for tag, _ in page.tags}
    assert {"svg", "table", "style"} <= names
    assert names.isdisjoint({"script", "img", "link", "iframe", "object", "form", "a"})
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href")], tag
    assert "The new pack would have slowed or stopped 6 more pays a day" in page.text
    assert f"49 {HOSTILE}" in page.text  # shown as it is, and nothing but text
    assert f"noted as n49 {HOSTILE}" in page.text
    style = next(attrs for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert style["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_has_a_chart_of_each_rule_that_changed(shop: Shop) -> None:
    path = shop.folder / "charts.html"
    assert shop.backtest("--html", str(path)).exit_code == 0
    charts = [attrs["aria-label"] for tag, attrs in Page(path.read_text("utf-8")).tags if attrs.get("class") == "days"]
    assert charts == [
        "Events slowed or stopped on 3 days: 5 under the old pack, 19 under the new",
        "Hits on 3 days: 5 under the old pack, 19 under the new",
    ]


def test_a_page_that_can_t_be_written(shop: Shop) -> None:
    done = shop.backtest("--html", str(shop.folder / "nowhere" / "report.html"))
    assert done.exit_code == 1
    assert "The report cannot be written." in done.stderr
    assert "No such file or directory" in done.stderr


def test_what_was_not_recorded_needs_the_inputs(shop: Shop) -> None:
    wide = write_pack(shop.folder / "wide", "3", 54, WIDE)
    done = shop.backtest(new=wide)
    assert done.exit_code == 1
    assert 'wide needs distinct(note, on="pay", by=account, over="24h")' in done.stderr
    assert "Name the input files too" in done.stderr
    done = shop.backtest(str(shop.events), "--json", new=wide)
    assert done.exit_code == 0, done.stderr
    assert "Replaying the inputs with the new pack, shop 3" in done.stderr
    report = json.loads(done.stdout)
    assert ["The new pack, shop 3, was replayed" in each for each in report["replays"]] == [True]
    assert next(each for each in report["rules"] if each["name"] == "wide")["gained"]["events"] > 20


def test_inputs_alone_are_replayed(shop: Shop) -> None:
    done = run("backtest", "--old", str(shop.old), "--new", str(shop.new), str(shop.events), "--json")
    assert done.exit_code == 0, done.stderr
    recorded = json.loads(shop.backtest("--json").stdout)
    assert {**json.loads(done.stdout), "replays": []} == recorded


def test_an_event_log_is_replayed_like_files(shop: Shop) -> None:
    settings = Settings(pack=str(shop.old), data=shop.folder / "data")
    with open_pipeline(settings) as pipeline:
        lines = shop.events.read_bytes().splitlines()
        pipeline.take([pipeline.decoder.single(line, None) for line in lines])
        pipeline.commit()
    done = run("backtest", "--old", str(shop.old), "--new", str(shop.new), str(settings.data), "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["rules"] == json.loads(shop.backtest("--json").stdout)["rules"]


def test_without_history(shop: Shop) -> None:
    done = run("backtest", "--old", str(shop.old), "--new", str(shop.new))
    assert done.exit_code == 1
    assert "A backtest needs a history" in done.stderr
    done = run("backtest", "--old", str(shop.old), "--new", str(shop.new), "--recording", str(shop.folder))
    assert done.exit_code == 1
    assert "fairgate replay --out" in done.stderr
