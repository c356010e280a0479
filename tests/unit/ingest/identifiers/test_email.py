import string
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import BadValue, Email
from fairgate.ingest.identifiers.email import parse
from fairgate.ingest.identifiers.providers import FREE, PROVIDER_OF, PROVIDERS

NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20)
TEN_LETTERS = "".join(chr(0x4E00 + 97 * step) for step in range(10))  # far apart, so that Punycode is long
CYRILLIC_A = "\N{CYRILLIC SMALL LETTER A}"


def test_every_part_of_one_address() -> None:
    assert parse("J.Doe1987+Fairgate@GoogleMail.com.") == Email(
        raw="J.Doe1987+Fairgate@GoogleMail.com.",
        value="jdoe1987@gmail.com",
        local="j.doe1987+fairgate",
        tag="fairgate",
        domain="googlemail.com",
        base="jdoe1987@gmail.com",
        disposable=False,
        free=True,
        shape="a1.a3d4",
        digits=4,
        mixed_script=False,
        skeleton="jdoe1987@gmail.com",
    )


@pytest.mark.parametrize(
    ("raw", "value", "base", "tag"),
    [
        ("b.o.b+x@gmail.com", "bob@gmail.com", "bob@gmail.com", "x"),
        ("bob@googlemail.com", "bob@gmail.com", "bob@gmail.com", None),
        ("b.ob+x+y@outlook.com", "b.ob@outlook.com", "b.ob@outlook.com", "x+y"),
        ("bob+@hotmail.co.uk", "bob@hotmail.co.uk", "bob@hotmail.co.uk", ""),
        ("bob-shop@yahoo.com", "bob@yahoo.com", "bob@yahoo.com", "shop"),
        ("bob+x@me.com", "bob@icloud.com", "bob@icloud.com", "x"),
        ("b_o-b.x+y@proton.me", "bobx@proton.me", "bobx@proton.me", "y"),
        ("bob@pm.me", "bob@pm.me", "bob@pm.me", None),
        ("bob+x@fastmail.com", "bob@fastmail.com", "bob@fastmail.com", "x"),
        ("shop@bob.fastmail.com", "bob@fastmail.com", "bob@fastmail.com", "shop"),
        ("a@b.c.fastmail.com", "a@b.c.fastmail.com", "a@b.c.fastmail.com", None),
        ("bob@mail.gmail.com", "bob@mail.gmail.com", "bob@mail.gmail.com", None),
        ("bob+x@ya.ru", "bob@yandex.ru", "bob@yandex.ru", "x"),
        ("b.ob+x@corp.example", "b.ob+x@corp.example", "b.ob@corp.example", "x"),
        ("+x@corp.example", "+x@corp.example", "+x@corp.example", None),
        ("bob-x@corp.example", "bob-x@corp.example", "bob-x@corp.example", None),
        ("BOB@B\u00dcCHER.example", "bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example", None),
        ("x\u0345.\u1dcf@gmail.com", "x\u1dcf\u0345@gmail.com", "x\u1dcf\u0345@gmail.com", None),
        ("\uff22ob\uff20example\u3002com", "bob@example.com", "bob@example.com", None),
    ],
)
def test_the_mailbox_behind_an_address(raw: str, value: str, base: str, tag: str | None) -> None:
    email = parse(raw)
    assert (email.value, email.base, email.tag) == (value, base, tag)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("bob", "has no @"),
        ("bob@@example.com", "has more than one @"),
        ("bob@x@example.com", "has more than one @"),
        ("@example.com", "has nothing before the @"),
        ("bob@", "has nothing after the @"),
        ("bob@.", "has an empty label in its domain"),
        ("bob@example..com", "has an empty label in its domain"),
        ("bob@-example.com", "has a domain that is no host name"),
        ("bob@exam_ple.com", "has a domain that is no host name"),
        (f"bob@{'a' * 64}.com", "has a domain that is no host name"),
        ("bob@[192.0.2.1]", "has a domain that is no host name"),
        ("bob@\N{HEAVY BLACK HEART}.com", "has a domain that internationalised host names (IDNA) don't allow"),
        ("bob@xn--example-.com", "has a domain that is no host name"),
        ("bob@xn--9999999.com", "has a domain label that is no valid Punycode"),
        ("bob@xn--7ba.com", "has a domain label that is no valid Punycode"),
        ("bob@xn--a.com", "has a control character (U+0080)"),
        ('"bob"@example.com', "has a quoted local part"),
        ("Bob<bob@example.com", "has a character no address has before its @ (U+003C)"),
        ("bob @example.com", "has a space"),
        ("bob@example.com ", "has a space"),
        ("bob\u00a0x@example.com", "has a space"),
        ("bob\t@example.com", "has a control character (U+0009)"),
        ("bob@example.com\0", "has a control character (U+0000)"),
        ("bob\u202e@example.com", "has a bidirectional control (U+202E)"),
        ("b\u200dob@example.com", "has an invisible character (U+200D)"),
        ("b\u00adob@example.com", "has an invisible character (U+00AD)"),
        ("b\ufe0fob@example.com", "has an invisible character (U+FE0F)"),
        ("b\u3164ob@example.com", "has an invisible character (U+1160)"),
        ("b\ud83dob@example.com", "has a lone surrogate (U+D83D)"),
        ("b\ue000ob@example.com", "has a private-use character (U+E000)"),
        ("b\U000effffob@example.com", "has a character Unicode has not assigned (U+EFFFF)"),
        ("b\u2028ob@example.com", "has a line separator (U+2028)"),
        ("b\u2029ob@example.com", "has a paragraph separator (U+2029)"),
        ("...@gmail.com", "has no name before the @ that Gmail would read"),
        ("+tag@gmail.com", "has no name before the @ that Gmail would read"),
        (f"{'a' * 243}@example.com", "has more than 254 characters"),
        (
            "bob@" + f"{TEN_LETTERS}." * 9 + "example",
            "has more than 254 characters once its domain is written in ASCII",
        ),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        parse(raw)
    assert refused.value.reason == reason


def test_the_longest_address_is_still_one() -> None:
    assert parse(f"{'a' * 242}@example.com").value == f"{'a' * 242}@example.com"


@given(name=NAMES, dots=st.sets(st.integers(1, 19)), capitals=st.sets(st.integers(0, 19)), tag=NAMES)
def test_gmail_sees_one_mailbox_whatever_the_dots_capitals_and_tag(
    name: str, dots: set[int], capitals: set[int], tag: str
) -> None:
    written = "".join(
        ("." if place in dots else "") + (char.upper() if place in capitals else char)
        for place, char in enumerate(name)
    )
    assert parse(f"{written}+{tag}@Gmail.com").value == f"{name}@gmail.com"


@given(local=st.text(string.ascii_letters + string.digits + ".+-_", min_size=1), domain=st.sampled_from(sorted(FREE)))
def test_capitals_never_matter(local: str, domain: str) -> None:
    def parts(raw: str) -> list[object]:
        try:
            email = parse(raw)
        except BadValue as error:
            return [error.reason]
        return [getattr(email, name) for name in ("value", "base", "tag", "shape", "skeleton")]

    assert parts(f"{local}@{domain}") == parts(f"{local}@{domain}".upper())


@given(first=NAMES, second=NAMES, domain=st.sampled_from(["corp.example", "outlook.com", "pm.me", "fastmail.com"]))
def test_different_names_stay_different_mailboxes(first: str, second: str, domain: str) -> None:
    assert (parse(f"{first}@{domain}").value == parse(f"{second}@{domain}").value) == (first == second)


@pytest.mark.parametrize(
    ("local", "shape", "digits"),
    [
        ("abcd4821", "a4d4", 4),
        ("wxyz9917", "a4d4", 4),
        ("john.smith", "a4.a5", 0),
        ("j_doe-1987x2", "a1_a3-d4a1d1", 5),
        ("bob12+tag34", "a3d2", 2),
        ("\u0438\u0432\u0430\u043d7", "a4d1", 1),
        ("\u0663\u0664x", "d2a1", 2),
        ("\u0930\u093e\u092e", "a2", 0),
        ("\N{GRINNING FACE}x", "\N{GRINNING FACE}a1", 0),
    ],
)
def test_shape_tells_letters_digits_and_the_rest_apart(local: str, shape: str, digits: int) -> None:
    email = parse(f"{local}@corp.example")
    assert (email.shape, email.digits) == (shape, digits)


@given(name=st.text(string.ascii_lowercase + string.digits + "._-", min_size=1))
def test_a_shape_says_how_long_the_name_is(name: str) -> None:
    shape = parse(f"{name}@corp.example").shape
    lengths = "".join(char if char.isdigit() else " " for char in shape).split()
    assert sum(map(int, lengths)) + sum(map(shape.count, "._-")) == len(name)


@pytest.mark.parametrize(
    ("domain", "disposable", "free"),
    [
        ("mailinator.com", True, False),
        ("mx.team.mailinator.com", True, False),
        ("mailinator.example", False, False),
        ("gmail.com", False, True),
        ("qq.com", False, True),
        ("fastmail.com", False, False),
        ("corp.example", False, False),
    ],
)
def test_throwaway_and_free_domains(domain: str, disposable: bool, free: bool) -> None:
    email = parse(f"bob@{domain}")
    assert (email.disposable, email.free) == (disposable, free)


@pytest.mark.parametrize(
    ("raw", "mixed"),
    [
        (f"p{CYRILLIC_A}ypal@corp.example", True),
        (f"bob@gm{CYRILLIC_A}il.com", True),
        ("bob@xn--gmil-63d.com", True),
        ("\u0438\u0432\u0430\u043d@yandex.ru", False),
        ("\u03b1\u03b2\u03b3@corp.example", False),
        ("tanaka\u7530\u4e2d\u306e\u30fc@corp.example", False),
        ("\u0438\u7530@corp.example", True),
        ("andr\u00e9-\u00df@corp.example", False),
        ("x\u02bby@corp.example", False),
        ("bob7-_.x@corp.example", False),
    ],
)
def test_mixed_scripts(raw: str, mixed: bool) -> None:
    assert parse(raw).mixed_script is mixed


@pytest.mark.parametrize(
    ("forged", "real"),
    [
        (f"b.{CYRILLIC_A}nna+x@gmail.com", "banna@gmail.com"),
        (f"bob@gm{CYRILLIC_A}il.com", "bob@gmail.com"),
        (f"b.o.b+x@gm{CYRILLIC_A}il.com", "bob@gmail.com"),
        ("bob@xn--gmil-63d.com", "bob@gmail.com"),
        ("\u0421\u041e\u0420\u0415@corp.example", "cope@corp.example"),
        ("\u03ba\u03b1\u03c4\u03b5@corp.example", "kate@corp.example"),
        ("\u0131van@corp.example", "ivan@corp.example"),
    ],
)
def test_a_forged_address_meets_the_one_it_imitates(forged: str, real: str) -> None:
    assert parse(forged).value != parse(real).value
    assert parse(forged).skeleton == parse(real).skeleton == parse(real).value


def test_a_skeleton_need_not_be_an_address() -> None:
    assert parse(f"...@gm{CYRILLIC_A}il.com").skeleton == "...@gmail.com"
    assert parse("\u0436@corp.example").skeleton == "\u0436@corp.example"


@given(name=st.text("abcehikmnoprstuvwxy.+", min_size=1), forge=st.sets(st.integers(0, 30)))
def test_any_letters_may_be_forged(name: str, forge: set[int]) -> None:
    cyrillic = str.maketrans("aceopxyshi", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0455\u04bb\u0456")
    written = "".join(char.translate(cyrillic) if place in forge else char for place, char in enumerate(name))
    skeleton = partial(_skeleton_or_reason, domain="outlook.com")
    assert skeleton(written) == skeleton(name)


def _skeleton_or_reason(local: str, domain: str) -> str:
    try:
        return parse(f"{local}@{domain}").skeleton
    except BadValue as error:
        return error.reason


def test_provider_rows_fit_together() -> None:
    assert sum(len(provider.domains) for provider in PROVIDERS) == len(PROVIDER_OF), "a domain has two rows"
    for provider in PROVIDERS:
        assert provider.source
        assert provider.home is None or provider.home in provider.domains
        assert provider.separator not in provider.ignored


@pytest.mark.parametrize("domain", sorted(FREE | PROVIDER_OF.keys()))
def test_a_known_domain_is_in_the_form_that_is_looked_up(domain: str) -> None:
    assert parse(f"bob@{domain}").domain == domain
    assert not parse(f"bob@{domain}").disposable
