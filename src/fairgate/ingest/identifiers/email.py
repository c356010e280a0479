"""E-mail addresses: who reads the mailbox, whatever the dots, tags and capitals it is written with."""

import re
import string
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna
from disposable_email_domains import blocklist

from fairgate.ingest.identifiers.lookalikes import latin_twin, mixes_scripts
from fairgate.ingest.identifiers.providers import FREE, PROVIDER_OF, Provider
from fairgate.ingest.identifiers.text import code_point, refuse_hidden
from fairgate.ingest.identifiers.value import BadValue

_LONGEST = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
_DISPOSABLE = frozenset(blocklist)
_LOCAL = re.compile(r"[^\x00-\x20\"(),:;<>@\[\\\]\x7f]+")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KINDS = str.maketrans(string.ascii_lowercase + string.digits, "a" * 26 + "d" * 10)
_RUN = re.compile(r"a+|d+")


@dataclass(frozen=True, slots=True)
class Email:
    """An address and what can be read from it.

    `local` and `domain` are the two sides of the @ as sent, but NFKC, lower case and, for the domain, IDNA's ASCII.
    `tag` is the part of `local` (with subdomain addressing, all of it) that only sorts the owner's mail; None if there
    is none. `value` is the mailbox: without what its provider is known to ignore; an unknown provider's tag stays.
    `base` is `value` without a tag, known provider or not.

    `shape`, of the local part without its tag: each run of letters as `a` and its length, each run of digits as `d` and
    its length, anything else as it is (`abcd-4821` is `a4-d4`). A letter is what Unicode calls alphanumeric and no
    decimal digit; marks, such as accents left over, are skipped. `digits` counts the decimal digits of the same part.

    `disposable`: the domain or one above it gives throwaway addresses. `free`: a big provider where anybody has a
    mailbox for nothing. `mixed_script`: the local part or a label of the domain mixes scripts (a Cyrillic letter in a
    Latin word). `skeleton` is the `value` of the address with look-alike letters made Latin, so that a forged address
    meets the one it imitates; it may be no valid address. What look-alikes it knows, `lookalikes` says.
    """

    raw: str
    value: str
    local: str
    tag: str | None
    domain: str
    base: str
    disposable: bool
    free: bool
    shape: str
    digits: int
    mixed_script: bool
    skeleton: str


@dataclass(frozen=True, slots=True)
class _Domain:
    """Everything an address takes from its domain. `shown` is the domain with its IDNA labels as Unicode."""

    ascii: str
    shown: str
    provider: Provider | None
    account: str | None
    home: str
    disposable: bool
    free: bool
    mixed_script: bool


@lru_cache(maxsize=16_384)
def parse(raw: str) -> Email:
    """The address; BadValue where it is none. Quoted local parts and address literals are refused too."""
    if len(raw) > _LONGEST:
        raise BadValue(f"has more than {_LONGEST} characters")
    text = raw.lower() if raw.isascii() else _fold(raw)
    if " " in text:
        raise BadValue("has a space")
    refuse_hidden(text)
    local, _, host = text.rpartition("@")
    if not (host and _LOCAL.fullmatch(local)):
        raise _fault(text)
    domain = _domain(host)
    name, tag, value, base = _mailbox(local, domain)
    if len(value) > _LONGEST:
        raise BadValue(f"has more than {_LONGEST} characters once its domain is written in ASCII")
    shape, digits = _shape(name)
    return Email(
        raw=raw,
        value=value,
        local=local,
        tag=tag,
        domain=domain.ascii,
        base=base,
        disposable=domain.disposable,
        free=domain.free,
        shape=shape,
        digits=digits,
        mixed_script=domain.mixed_script or mixes_scripts(local),
        skeleton=value if local.isascii() and domain.shown.isascii() else _skeleton(local, domain),
    )


def _fold(raw: str) -> str:
    """NFKC and lower case, stable under itself: lower case alone can leave a form that NFKC changes."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", raw).lower())


def _fault(text: str) -> BadValue:
    """What is wrong around the @ of a text known to be no address."""
    local, at, host = text.rpartition("@")
    if not at:
        return BadValue("has no @" if text else "is empty")
    if '"' in local:
        return BadValue("has a quoted local part")
    if "@" in local:
        return BadValue("has more than one @")
    if not local:
        return BadValue("has nothing before the @")
    if not host:
        return BadValue("has nothing after the @")
    char = next(char for char in local if not _LOCAL.fullmatch(char))
    return BadValue(f"has a character no address has before its @ ({code_point(char)})")


def _mailbox(local: str, domain: _Domain) -> tuple[str, str | None, str, str]:
    """The local part without its tag, the tag, `value` and `base`; BadValue if the provider would see no name in it."""
    provider = domain.provider
    if provider is None:
        name, plus, tag = local.partition("+")
        address = f"{local}@{domain.home}"
        return (name, tag, address, f"{name}@{domain.home}") if name and plus else (local, None, address, address)
    if domain.account:
        address = f"{domain.account}@{domain.home}"
        return domain.account, local, address, address
    name, separator, tag = local.partition(provider.separator)
    kept = name
    for char in provider.ignored:
        kept = kept.replace(char, "")
    if not kept.isascii():
        kept = _fold(kept)  # marks that a dot kept apart now follow one letter, and NFKC has an order for them
    if not kept:
        raise BadValue(f"has no name before the @ that {provider.name} would read")
    address = f"{kept}@{domain.home}"
    return name, tag if separator else None, address, address


@lru_cache(maxsize=8_192)
def _domain(host: str) -> _Domain:
    """What is known of a domain; BadValue if it can't be one."""
    labels = [_ascii_label(label) for label in host.replace("\u3002", ".").removesuffix(".").split(".")]
    name = ".".join(labels)
    shown = [_shown_label(label) for label in labels]
    parents = [".".join(labels[start:]) for start in range(len(labels))]
    provider, account = PROVIDER_OF.get(name), None
    if provider is None and len(labels) > 1:
        above = PROVIDER_OF.get(parents[1])
        if above is not None and above.subdomains:
            provider, account = above, labels[0]
    return _Domain(
        ascii=name,
        shown=".".join(shown),
        provider=provider,
        account=account,
        home=parents[1] if account else (provider and provider.home) or name,
        disposable=not _DISPOSABLE.isdisjoint(parents),
        free=name in FREE,
        mixed_script=any(map(mixes_scripts, shown)),
    )


def _ascii_label(label: str) -> str:
    if not label:
        raise BadValue("has an empty label in its domain")
    if not label.isascii():
        try:
            label = idna.encode(label, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise BadValue("has a domain that internationalised host names (IDNA) don't allow") from error
    if not _LABEL.fullmatch(label):
        raise BadValue("has a domain that is no host name")
    return label


def _shown_label(label: str) -> str:
    """An IDNA label as it is displayed; BadValue for one that no encoder writes, as it could be shown as anything."""
    if not label.startswith("xn--"):
        return label
    encoded = label.removeprefix("xn--")
    try:
        shown = encoded.encode("ascii").decode("punycode")
        genuine = _fold(shown) == shown and shown.encode("punycode").decode("ascii") == encoded
    except UnicodeError as error:
        raise BadValue("has a domain label that is no valid Punycode") from error
    if not genuine:
        raise BadValue("has a domain label that is no valid Punycode")
    refuse_hidden(shown)
    return shown


def _shape(name: str) -> tuple[str, int]:
    kinds = name.translate(_KINDS) if name.isascii() else "".join(map(_kind, name))
    return _runs(kinds), kinds.count("d")


def _kind(char: str) -> str:
    if char.isdecimal():
        return "d"
    if char.isalnum():
        return "a"
    return "" if unicodedata.category(char).startswith("M") else char


@lru_cache(maxsize=8_192)  # few patterns make up most of the world's addresses
def _runs(kinds: str) -> str:
    return _RUN.sub(lambda run: f"{run[0][0]}{len(run[0])}", kinds)


def _skeleton(local: str, domain: _Domain) -> str:
    local, host = latin_twin(local), latin_twin(domain.shown)
    try:
        return _mailbox(local, _domain(host))[2]
    except BadValue:  # the twin need not be a valid address; it still is one word that two forgeries share
        return f"{local}@{host}"
