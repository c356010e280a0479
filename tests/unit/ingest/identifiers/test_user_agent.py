import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import BadValue, UserAgent
from fairgate.ingest.identifiers.user_agent import parse

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/131.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("raw", "family", "os", "device"),
    [
        (CHROME, "Chrome", "Windows", None),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1",
            "Mobile Safari",
            "iOS",
            "iPhone",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 14; SM-G991B) {WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36",
            "Chrome Mobile",
            "Android",
            "Samsung SM-G991B",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox", "Linux", None),
        ("something else", None, None, None),
    ],
)
def test_browsers(raw: str, family: str | None, os: str | None, device: str | None) -> None:
    assert parse(raw) == UserAgent(raw, raw, family, os, device, is_library=False, is_headless=False)


@pytest.mark.parametrize(
    ("raw", "family"),
    [
        ("curl/8.4.0", "curl"),
        ("python-requests/2.32.3", "Python Requests"),
        ("python-httpx/0.27.0", "python-httpx"),
        ("OpenAI/Python 1.52.0", "OpenAI"),
        ("AsyncOpenAI/Python 1.52.0", "AsyncOpenAI"),
        ("Anthropic/JS 0.30.1", "Anthropic"),
        ("Go-http-client/2.0", "Go-http-client"),
        ("axios/1.7.2", "axios"),
        ("node", "node"),
        ("Apache-HttpClient/4.5.14 (Java/17.0.1)", "Apache-HttpClient"),
        ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041", "WindowsPowerShell"),
    ],
)
def test_libraries(raw: str, family: str) -> None:
    agent = parse(raw)
    assert (agent.is_library, agent.is_headless) == (True, False)
    assert agent.family == family


@pytest.mark.parametrize(
    "raw",
    [
        f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
        "Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/20.0.3",
    ],
)
def test_browsers_without_a_head(raw: str) -> None:
    agent = parse(raw)
    assert (agent.is_library, agent.is_headless) == (False, True)


def test_a_library_named_in_a_comment_did_not_send_it() -> None:
    assert not parse(f"Mozilla/5.0 (compatible; curl python node) {WEBKIT} Chrome/131.0.0.0").is_library


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("curl/8\0", "has a control character (U+0000)"),
        ("curl/8\r\nX-Forged: 1", "has a control character (U+000D)"),
        ("curl/8\ud800", "has a lone surrogate (U+D800)"),
    ],
)
def test_what_no_header_can_carry_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        parse(raw)
    assert refused.value.reason == reason


def test_only_the_first_1024_characters_are_looked_at() -> None:
    raw = CHROME + " " * (1_024 - len(CHROME)) + "curl/8.4.0\0"
    agent = parse(raw)
    assert (agent.raw, agent.value) == (raw, raw[:1_024])
    assert (agent.family, agent.is_library) == ("Chrome", False)


@pytest.mark.parametrize("device", ["SmartWatch ( ; ; )", "; AIRIS_ ;", "; CELKON_  Build"])
def test_a_device_named_by_blanks_alone_is_no_error(device: str) -> None:
    agent = parse(f"{CHROME} {device}")
    assert (agent.family, agent.os, agent.device) == ("Chrome", "Windows", None)


# Each of these makes some expression of uap-core backtrack: Python's engine alone took 10 ms for the first.
@given(
    pump=st.sampled_from(
        ["; ", " ", "a", "_", " b", "1", "bot", "Linux ", "; ImPAD1", "(", "Build/", "HuaweiBrowser/0"]
    ),
    head=st.sampled_from(["", "x", "Mozilla/5.0 (Linux; Android 1", "; ImPAD", "aaaaaaaaaa", "SAMSUNG-SAMSUNG_"]),
    tail=st.sampled_from(["", "!", ";", ")"]),
)
def test_backtracking_is_bounded(pump: str, head: str, tail: str) -> None:
    raw = (head + pump * 1_024)[: 1_024 - len(tail)] + tail
    start = time.perf_counter()
    parse(raw)
    assert time.perf_counter() - start < 0.5
