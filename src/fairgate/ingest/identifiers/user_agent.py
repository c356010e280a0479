"""User agents: which browser, system and device they name, and whether a program rather than a person sent them."""

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from ua_parser import Domain, PartialResult
from ua_parser.loaders import load_lazy_builtins
from ua_parser.re2 import Resolver

from fairgate.ingest.identifiers.text import describe
from fairgate.ingest.identifiers.value import BadValue

_LONGEST = 1_024
_COMMENT = re.compile(r"\([^()]*\)")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

# Product names, lower case, of what sends requests without a browser: HTTP libraries, SDKs, command-line tools.
_LIBRARIES = frozenset(
    {
        "aiohttp", "anthropic", "anthropic-sdk-python", "apache-httpclient", "asyncanthropic", "asyncopenai", "axios",
        "bun", "cohere", "colly", "curl", "dart", "deno", "faraday", "fasthttp", "go-http-client", "go-resty",
        "google-api-python-client", "google-genai-sdk", "got", "grpc-go", "grpc-java-netty", "grpc-node-js",
        "grpc-python", "guzzlehttp", "http.rb", "httpclient", "httpie", "httpx", "hyper", "insomnia", "java",
        "java-http-client", "k6", "ky", "langchain", "libcurl", "libwww-perl", "litellm", "lua-resty-http", "lwp",
        "mechanize", "mistral-client-python", "newman", "node", "node-fetch", "node-superagent", "nodejs", "okhttp",
        "openai", "openai-python", "perl", "php", "postmanruntime", "powershell", "pycurl", "python", "python-httpx",
        "python-requests", "python-urllib", "python-urllib3", "reqwest", "rest-client", "restsharp", "ruby", "scrapy",
        "superagent", "symfony", "typhoeus", "undici", "ureq", "urllib3", "wget", "windowspowershell", "winhttp",
    }
)  # fmt: skip
_HEADLESS = frozenset(
    {
        "casperjs", "chrome-lighthouse", "cypress", "headlesschrome", "headlessedg", "htmlunit", "jsdom", "nightmare",
        "phantomjs", "playwright", "puppeteer", "selenium", "slimerjs", "splash", "zombie.js",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UserAgent:
    """A user agent. `value` is the text itself, cut after 1,024 characters; nothing after them is looked at.

    `family`, `os` and `device` are uap-core's names (Chrome Mobile, Android, Samsung SM-G991B), None where it has none;
    for a library that uap-core doesn't know, `family` is the name it gives itself. `is_library`: an HTTP library, SDK
    or command-line tool sent it. `is_headless`: a browser driven by a program did. Both believe what the text says.
    """

    raw: str
    value: str
    family: str | None
    os: str | None
    device: str | None
    is_library: bool
    is_headless: bool


def parse(raw: str) -> UserAgent:
    """What the user agent names; BadValue for an empty one and for characters no HTTP header can carry.

    An unknown one is no error: nothing is known of it. The time is bounded: for browser, system and device each, RE2
    finds the one expression of uap-core that applies, in linear time, and Python's engine runs that one alone, over
    1,024 characters at most.
    """
    if len(raw) <= _LONGEST:
        return _parse(raw)
    return replace(_parse(raw[:_LONGEST]), raw=raw)  # outside the cache, so that it never holds a long text


@lru_cache(maxsize=8_192)
def _parse(text: str) -> UserAgent:
    if not text:
        raise BadValue("is empty")
    if bad := _UNSENDABLE.search(text):
        raise BadValue(f"has {describe(bad[0])}")
    products = [word.partition("/")[0] for word in _COMMENT.sub(" ", text).split()]
    library = next((product for product in products if product.lower() in _LIBRARIES), None)
    browser = _match(text, Domain.USER_AGENT).user_agent
    system = _match(text, Domain.OS).os
    device = _match(text, Domain.DEVICE).device
    return UserAgent(
        raw=text,
        value=text,
        family=browser.family if browser else library,
        os=system.family if system else None,
        device=device.family if device else None,
        is_library=library is not None,
        is_headless=any(product.lower() in _HEADLESS for product in products),
    )


def _match(text: str, domain: Domain) -> PartialResult:
    try:
        return _resolver()(text, domain)
    except ValueError:  # an expression applied, but to a name made of blanks: ua-parser raises where none is found
        return PartialResult(domains=domain, user_agent=None, os=None, device=None, string=text)


@cache
def _resolver() -> Resolver:
    """Made at first use: it takes a good 0.1 s, which a command that reads no user agent shouldn't pay."""
    return Resolver(load_lazy_builtins())
