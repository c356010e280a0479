"""Files of every kind are read, and what is none is refused with the file, the line, and what to do."""

import json
from pathlib import Path

import polars as pl
import pytest

from fairgate.domain.errors import InputUnreadable
from fairgate.simulate.sharing.traces import Arrival, read_trace

CLIENTS = "client,req_time,prompt_len,output_len\na,1.5,10,20\nb,0.5,30,0\na,3.5,5,6\n"
AZURE = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3,8\n"
)


def event(time: str, account: str = "a", type_: str = "api.request", **more: object) -> str:
    data = {"account": account, "input_tokens": 7, "output_tokens": 9, **more}
    return json.dumps({"id": "1", "source": "s", "type": type_, "time": time, "data": data})


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_trace_of_clients(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, CLIENTS))
    assert trace.name == "trace.csv"
    assert trace.arrivals == (Arrival(0.0, "b", 30, 0), Arrival(1.0, "a", 10, 20), Arrival(3.0, "a", 5, 6))
    assert trace.longest == 20
    assert trace.span == 4.5  # the last comes 3 s after the first, and the next would after 1.5 s more


def test_columns_may_stand_in_any_order_with_others_and_a_mark_before_them(tmp_path: Path) -> None:
    text = "\ufeffoutput_len,more,prompt_len,client,req_time\r\n1,x,2,a,0\r\n3,y,4,b,5\r\n"
    assert read_trace(written(tmp_path, text)).arrivals == (Arrival(0.0, "a", 2, 1), Arrival(5.0, "b", 4, 3))


def test_an_azure_trace_has_no_accounts(tmp_path: Path) -> None:
    first, second = read_trace(written(tmp_path, AZURE)).arrivals
    assert (first, second[1:]) == (Arrival(0.0, "", 4808, 10), ("", 3, 8))
    assert second.time == pytest.approx(0.052, abs=1e-5)


def played(folder: Path) -> Path:
    """Two days as `fairgate simulate` writes them, and the truth: z is an opponent's."""
    (folder / "events").mkdir(parents=True)
    days = (
        [event("2026-09-07T00:00:01.704Z"), event("2026-09-07T00:00:02Z", type_="account.login"), ""],
        [event("2026-09-07T00:00:03Z", "b", output_tokens=1), event("2026-09-07T00:00:02.5Z", "z")],
        [event("2026-09-07T00:00:04Z", "b", status=429)],
    )
    for number, lines in enumerate(days):
        written(folder / "events", "\n".join(lines), f"day{number}.ndjson")
    pl.DataFrame({"account": ["a", "b", "z"], "honest": [True, True, False]}).write_parquet(
        folder / "truth_accounts.parquet"
    )
    return folder


def test_a_played_world_gives_the_requests_of_honest_accounts(tmp_path: Path) -> None:
    first, second = read_trace(played(tmp_path / "played")).arrivals
    assert first == Arrival(0.0, "a", 7, 9)
    assert second[1:] == ("b", 7, 1)
    assert second.time == pytest.approx(1.296)


def test_events_without_the_truth_beside_them_are_everybodys(tmp_path: Path) -> None:
    arrivals = read_trace(played(tmp_path / "played") / "events").arrivals
    assert [each.account for each in arrivals] == ["a", "z", "b"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", CLIENTS.replace("1.5", "soon"), "t.csv: line 2: `req_time` is 'soon', and should be seconds"),
        ("t.csv", CLIENTS.replace("1.5", "nan"), "line 2: `req_time` is 'nan'"),
        ("t.csv", CLIENTS.replace("1.5", "-1"), "line 2: `req_time` is '-1'"),
        ("t.csv", CLIENTS.replace("1.5", "inf"), "line 2: `req_time` is 'inf'"),
        ("t.csv", CLIENTS.replace(",5,", ",-5,"), "line 4: `prompt_len` is '-5', and should be a whole number"),
        ("t.csv", CLIENTS.replace(",5,", ",5.0,"), "line 4: `prompt_len` is '5.0'"),
        ("t.csv", CLIENTS.replace(",6", ",99999999"), "line 4: `output_len` is 99999999"),
        ("t.csv", CLIENTS.replace(",6", ",²"), "line 4: `output_len` is '²'"),
        ("t.csv", CLIENTS.replace("b,", ","), "line 3: `client` is empty"),
        ("t.csv", CLIENTS.replace(",30,0", ",30"), "line 3: it has not as many values as line 1 has columns"),
        ("t.csv", CLIENTS.replace(",30,0", ",30,0,1"), "line 3: it has not as many values as line 1 has columns"),
        ("t.csv", AZURE.replace("18:17:04", "25:17:04"), "line 3: `TIMESTAMP` is '2023-11-16 25:17:04.0319600'"),
        ("t.csv", "a,b\n1,2\n", "line 1: its columns are 'a', 'b'. A trace has the columns"),
        ("t.csv", "", "line 1: its columns are none"),
        ("t.csv", CLIENTS[: CLIENTS.index("b,")], "t.csv: it has 1 requests. A trace has two or more"),
        ("t.csv", CLIENTS.replace("1.5", "1").replace("0.5", "1").replace("3.5", "1"), "at different times"),
        ("t.ndjson", event("2026-09-07T00:00:01Z") + "\n{", "t.ndjson: line 2: it is no CloudEvent"),
        ("t.ndjson", event("yesterday"), "line 1: `time` is 'yesterday'"),
        ("t.ndjson", event("2026-09-07T00:00:01Z", input_tokens=1.5), "line 1: `input_tokens` is 1.5"),
        ("t.ndjson", event("2026-09-07T00:00:01Z", input_tokens=True), "line 1: `input_tokens` is True"),
        ("t.ndjson", event("2026-09-07T00:00:01Z", account=""), "line 1: `data.account` is missing"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused_with_its_place_and_what_to_do(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(InputUnreadable) as raised:
        read_trace(written(tmp_path, text, name))
    words = str(raised.value)
    assert said in words
    assert str(tmp_path / name) in words
    assert raised.value.remedy.endswith(".")


def test_a_file_that_is_not_there_or_no_text_or_a_folder_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match=r"No such file or directory\. Check its path"):
        read_trace(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputUnreadable, match="it is no text in UTF-8"):
        read_trace(tmp_path / "bytes.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputUnreadable, match=r"there are no \.ndjson files in it"):
        read_trace(tmp_path / "folder")


def test_a_truth_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    folder = played(tmp_path / "played")
    (folder / "truth_accounts.parquet").write_text("no")
    with pytest.raises(InputUnreadable, match=r"truth_accounts\.parquet"):
        read_trace(folder)


def test_the_published_traces(shared_data: Path) -> None:
    clients = read_trace(shared_data / "llm_trace_27_clients.csv")
    assert len(clients.arrivals) == 1_500
    assert len({each.account for each in clients.arrivals}) == 27
    assert clients.arrivals[-1].time == 600.0
    for name, count in (("conv", 19_366), ("code", 8_819)):
        trace = read_trace(shared_data / f"llm_trace_azure_{name}.csv")
        assert len(trace.arrivals) == count
        assert {each.account for each in trace.arrivals} == {""}
        assert 3_000 < trace.span < 4_000  # an hour
