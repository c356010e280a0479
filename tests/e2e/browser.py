"""Debian's Chromium, driven by Playwright: what a page logs, throws or is forbidden by its policy fails its test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: What the browser itself logs of answers that the tests ask for: a refused log-in, a case that is gone.
_ANSWERS = "Failed to load resource: the server responded with a status of "


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, or a skip where the machine has none (which CI does not let pass)."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the PATH: install Debian's package of that name")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield opened
        opened.close()


@contextmanager
def page_of(opened: Browser, url: str, *, dark: bool = False) -> Iterator[Page]:
    """A page with nothing of others' sessions, at a server. Whatever it complains of fails the test in the end."""
    context = opened.new_context(
        base_url=url, color_scheme="dark" if dark else "light", viewport={"width": 1400, "height": 860}
    )
    page = context.new_page()
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_ANSWERS):
            complaints.append(message.text)

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
    yield page
    context.close()
    assert complaints == []
