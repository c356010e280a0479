import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import BadValue, Ip
from fairgate.ingest.identifiers.ip import parse

# The first address of every block of the registries, and the first behind it: where a table goes wrong.
EDGES_4 = (
    "1.0.0.0", "10.0.0.0", "11.0.0.0", "100.64.0.0", "100.128.0.0", "127.0.0.0", "128.0.0.0",
    "169.254.0.0", "169.255.0.0", "172.16.0.0", "172.32.0.0", "192.0.0.0", "192.0.1.0", "192.0.2.0", "192.0.3.0",
    "192.88.99.0", "192.88.100.0", "192.168.0.0", "192.169.0.0",
    "198.18.0.0", "198.20.0.0", "198.51.100.0", "198.51.101.0", "203.0.113.0",
    "203.0.114.0", "224.0.0.0", "240.0.0.0", "255.255.255.255",
)  # fmt: skip
NO_CLIENT = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))


@pytest.mark.parametrize(
    ("raw", "value", "version", "network", "public"),
    [
        ("8.8.8.8", "8.8.8.8", 4, "8.8.8.0/24", True),
        ("255.255.255.255", "255.255.255.255", 4, "255.255.255.0/24", False),
        ("::ffff:8.8.8.8", "8.8.8.8", 4, "8.8.8.0/24", True),
        ("::FFFF:0808:0808", "8.8.8.8", 4, "8.8.8.0/24", True),
        ("2606:4700:4700:0:0:0:0:1111", "2606:4700:4700::1111", 6, "2606:4700:4700::/48", True),
        ("2A00:1450:4001:0830::200E", "2a00:1450:4001:830::200e", 6, "2a00:1450:4001::/48", True),
        ("2a00:0:0:1::", "2a00:0:0:1::", 6, "2a00::/48", True),
        ("2a00:0:1:0:0:1:0:0", "2a00:0:1::1:0:0", 6, "2a00:0:1::/48", True),
        ("::", "::", 6, "::/48", False),
        ("::1", "::1", 6, "::/48", False),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304", 6, "64:ff9b::/48", False),
        ("fe80::1", "fe80::1", 6, "fe80::/48", False),
        ("2001:db8::1", "2001:db8::1", 6, "2001:db8::/48", False),
    ],
)
def test_examples(raw: str, value: str, version: int, network: str, public: bool) -> None:
    assert parse(raw) == Ip(raw, value, version, network, public)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("1.2.3", "is no IP address"),
        ("1.2.3.256", "is no IP address"),
        ("0x1.2.3.4", "is no IP address"),
        ("16909060", "is no IP address"),
        ("1.2.3.\u0664", "is no IP address"),
        ("1::2::3", "is no IP address"),
        ("12345::", "is no IP address"),
        ("1.2.3.04", "has an octet with a leading zero, which some programs read as octal"),
        ("1.2.3.4:80", "has a port or brackets"),
        ("[::1]:80", "has a port or brackets"),
        ("fe80::1%eth0", "has a zone (%...), which means something on its own machine only"),
        ("1.2.3.0/24", "is a network, not an address"),
        ("1.2.3.4\0", "has a control character (U+0000)"),
        ("::1" + "0" * 50, "has more than 45 characters"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        parse(raw)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "raw", [" 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "::ffff:01.2.3.4", "+1.2.3.4", "1.2.3.4.", "1_0.2.3.4"]
)
def test_no_spelling_but_the_plain_one_is_read(raw: str) -> None:
    with pytest.raises(BadValue):
        parse(raw)


def agrees_with_the_standard_library(address: ipaddress.IPv4Address) -> bool:
    ip = parse(str(address))
    # The library calls multicast, the old 6to4 relays and some of 192.0.0.0/24 public; no client calls from there.
    no_client = address.is_multicast or any(address in block for block in NO_CLIENT)
    network = ipaddress.ip_network((address, 24), strict=False)
    return ip == Ip(str(address), str(address), 4, str(network), public=address.is_global and not no_client)


@given(address=st.ip_addresses(v=4))
def test_version_4_agrees_with_the_standard_library(address: ipaddress.IPv4Address) -> None:
    assert agrees_with_the_standard_library(address)


@pytest.mark.parametrize("edge", EDGES_4)
def test_blocks_of_version_4_begin_and_end_where_they_should(edge: str) -> None:
    assert agrees_with_the_standard_library(ipaddress.IPv4Address(edge))
    assert agrees_with_the_standard_library(ipaddress.IPv4Address(edge) - 1)


@given(
    address=st.one_of(
        st.ip_addresses(v=6),
        st.lists(st.sampled_from([0, 0, 0, 1, 0xFF]), min_size=7, max_size=7).map(
            lambda words: ipaddress.IPv6Address(":".join(f"{word:x}" for word in [0x2A00, *words]))
        ),
        st.lists(st.sampled_from([0, 0, 0, 1, 0xFF]), min_size=8, max_size=8).map(
            lambda words: ipaddress.IPv6Address(":".join(f"{word:x}" for word in words))
        ),
    ),
    spell=st.sampled_from([str, lambda address: address.exploded, lambda address: str(address).upper()]),
)
def test_version_6_agrees_with_the_standard_library(address: ipaddress.IPv6Address, spell: object) -> None:
    assert callable(spell)
    ip = parse(spell(address))
    if address.ipv4_mapped:
        assert ip.value == str(address.ipv4_mapped)
        return
    assert (ip.value, ip.version) == (str(address), 6)
    assert ip.network == str(ipaddress.ip_network((address, 48), strict=False))
    assert not (ip.public and not address.is_global)


@pytest.mark.parametrize(
    ("first_inside", "last_inside"),
    [
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_blocks_of_version_6_begin_and_end_where_they_should(first_inside: str, last_inside: str) -> None:
    first, last = ipaddress.IPv6Address(first_inside), ipaddress.IPv6Address(last_inside)
    assert [parse(str(address)).public for address in (first - 1, first, last, last + 1)] == [True, False, False, True]


def test_global_unicast_of_version_6_is_its_eighth() -> None:
    ends = ["1fff:" + ":".join(["ffff"] * 7), "2000::", "3fff:1000::", "3fff:fff::", "4000::", "ffff::"]
    assert [parse(text).public for text in ends] == [False, True, True, False, False, False]


@given(raw=st.text("0123456789abcdf:.", max_size=20))
def test_what_the_standard_library_refuses_is_refused(raw: str) -> None:
    try:
        expected = ipaddress.ip_address(raw)
    except ValueError:
        with pytest.raises(BadValue):
            parse(raw)
    else:
        mapped = expected.ipv4_mapped if isinstance(expected, ipaddress.IPv6Address) else None
        assert parse(raw).value == str(mapped or expected)
