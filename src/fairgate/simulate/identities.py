"""Names, mailboxes and telephone numbers: what an account is made with."""

from random import Random

_FIRST = (
    "mira", "jonas", "ana", "lin", "tomek", "ade", "priya", "kenji", "sofia", "liam", "noor", "eva", "raul", "ines",
    "omar", "hana", "pavel", "zoe", "arjun", "maria", "felix", "chloe", "diego", "aisha", "lukas", "nina", "samuel",
)  # fmt: skip
#: What family names are made of: three of them give some fifty thousand.
_SYLLABLES = (
    "ko", "sil", "va", "ber", "no", "wak", "shar", "ma", "sa", "to", "ev", "ans", "vis", "ser", "mo", "reau", "cos",
    "ta", "han", "sen", "li", "ner", "oka", "for", "zha", "rov", "del", "gar", "cia", "mel", "lin", "der", "hof", "man",
    "pe", "ral",
)  # fmt: skip
#: Providers of mailboxes, by how often people have one there.
MAIL = ("gmail.com", "gmail.com", "gmail.com", "outlook.com", "icloud.com", "proton.me", "mail.example.net")


def name_of(rng: Random, kind: str) -> str:
    """A name that says what is named, and nothing of who it belongs to."""
    return f"{kind}_{rng.getrandbits(48):012x}"


def mailbox(rng: Random, domain: str) -> str:
    """A mailbox as people choose them."""
    first, last = rng.choice(_FIRST), "".join(rng.choices(_SYLLABLES, k=3))
    number = rng.choice(("", f"{rng.randrange(10, 99)}", f"{rng.randrange(1970, 2010)}"))
    form = rng.choice((f"{first}.{last}", f"{first[0]}{last}", f"{last}{first}", f"{first}{rng.randrange(100_000)}"))
    return f"{form}{number}@{domain}"


def telephone_number(rng: Random) -> str:
    """A number of the kind that films use: nobody has it."""
    return f"+1{rng.randrange(201, 990)}55501{rng.randrange(100):02}"
