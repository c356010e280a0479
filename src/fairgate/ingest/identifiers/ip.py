"""IP addresses: one spelling for each, the network around it, and whether it can be met on the public internet."""

import socket
import struct
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from fairgate.ingest.identifiers.text import refuse_hidden
from fairgate.ingest.identifiers.value import BadValue

_LONGEST = 45  # eight groups of four, the last two of them as a dotted quad
_MAPPED = bytes(10) + b"\xff\xff"
_WORDS = struct.Struct("!8H")
_TEXT = "%x:%x:%x:%x:%x:%x:%x:%x"
_ZEROS = tuple(":" + "0:" * count for count in range(8, 1, -1))

# IANA IPv4 Special-Purpose Address Registry, then multicast and reserved space.
_NOT_PUBLIC_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
)  # fmt: skip
# IANA gives out global unicast from 2000::/3 alone; within it, the IPv6 Special-Purpose Address Registry.
_NOT_PUBLIC_6 = ("::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1")


def _edges(blocks: tuple[str, ...]) -> list[bytes]:
    """Where membership flips, for disjoint blocks in order: a first address, then what sorts just behind the last."""
    networks = map(ip_network, blocks)
    return [edge for network in networks for edge in (network[0].packed, network[-1].packed + b"\0")]


_EDGES_4 = _edges(_NOT_PUBLIC_4)
_EDGES_6 = _edges(_NOT_PUBLIC_6)


@dataclass(frozen=True, slots=True)
class Ip:
    """An address. `value` is its canonical text (RFC 5952); IPv4 written as IPv6 (::ffff:1.2.3.4) is IPv4.

    `network` is the /24 (version 4) or /48 (version 6) around it, as CIDR text. `public`: it is global unicast and in
    none of IANA's special-purpose blocks; the table is Fairgate's own, so that every Python answers alike.
    """

    raw: str
    value: str
    version: int
    network: str
    public: bool


@lru_cache(maxsize=16_384)
def parse(raw: str) -> Ip:
    """The address; BadValue where it is none. Leading zeros, ports, brackets, zones and prefixes are refused."""
    if len(raw) > _LONGEST:
        raise BadValue(f"has more than {_LONGEST} characters")
    try:
        if ":" not in raw:
            return _version_4(raw, socket.inet_pton(socket.AF_INET, raw))
        packed = socket.inet_pton(socket.AF_INET6, raw)
    except (OSError, ValueError):
        raise _fault(raw) from None
    if packed.startswith(_MAPPED):
        return _version_4(raw, packed[12:])
    return Ip(
        raw=raw,
        value=_compressed(packed),
        version=6,
        network=_network_6(packed),
        public=_is_public(packed, _EDGES_6),
    )


def _version_4(raw: str, packed: bytes) -> Ip:
    value = socket.inet_ntoa(packed)
    return Ip(
        raw=raw,
        value=value,
        version=4,
        network=f"{value[: value.rindex('.')]}.0/24",
        public=_is_public(packed, _EDGES_4),
    )


def _network_6(packed: bytes) -> str:
    first, second, third, *_ = _WORDS.unpack(packed)
    text = f"{first:x}:{second:x}:{third:x}"
    while text.endswith(":0"):
        text = text.removesuffix(":0")
    return f"{'' if text == '0' else text}::/48"  # five zero groups follow, so no other run is longer


def _is_public(packed: bytes, edges: list[bytes]) -> bool:
    return bisect_right(edges, packed) % 2 == 0


def _compressed(packed: bytes) -> str:
    """RFC 5952: lower case, no leading zeros, the first of the longest runs of at least two zero groups as `::`."""
    text = f":{_TEXT % _WORDS.unpack(packed)}:"
    for zeros in _ZEROS:
        if zeros in text:
            text = text.replace(zeros, "::", 1)
            break
    return text[not text.startswith("::") : len(text) - (not text.endswith("::"))]


def _fault(raw: str) -> BadValue:
    """What is wrong with a text known to be no address."""
    if not raw:
        return BadValue("is empty")
    refuse_hidden(raw)
    if "%" in raw:
        return BadValue("has a zone (%...), which means something on its own machine only")
    if "/" in raw:
        return BadValue("is a network, not an address")
    quad, colon, port = raw.rpartition(":")
    if raw.startswith("[") or (colon and port.isdecimal() and _is_quad(quad)):
        return BadValue("has a port or brackets")
    if _is_quad(raw) and any(octet.startswith("0") and octet != "0" for octet in raw.split(".")):
        return BadValue("has an octet with a leading zero, which some programs read as octal")
    return BadValue("is no IP address")


def _is_quad(text: str) -> bool:
    return text.count(".") == 3 and all(map(str.isdecimal, text.split(".")))  # noqa: PLR2004 - that is what a quad is
