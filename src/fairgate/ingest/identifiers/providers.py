"""What mail providers do with an address: one row per provider, and the big ones that give mailboxes away.

A row says only what the provider itself documents or what its own software does, named in `source`. Folding too much
makes two people one, so where that is unsure (dots at Outlook, Proton's several domains) the address stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Provider:
    """How one provider reads the part before the @.

    `separator` starts the tag, `ignored` are the characters it doesn't look at. `home` is the one domain that stands
    for all of `domains`; None where a mailbox at one of them isn't the same mailbox at another. `subdomains`: mail for
    anything@name.domain reaches name@domain.
    """

    name: str
    source: str
    domains: frozenset[str]
    separator: str = "+"
    ignored: str = ""
    home: str | None = None
    subdomains: bool = False
    free: bool = True


def _domains(names: str) -> frozenset[str]:
    return frozenset(names.split())


PROVIDERS = (
    Provider(
        name="Gmail",
        source="Gmail Help: dots don't matter; addresses with a plus; googlemail.com is gmail.com",
        domains=_domains("gmail.com googlemail.com"),
        ignored=".",
        home="gmail.com",
    ),
    Provider(
        name="Outlook",
        source="Microsoft, Outlook.com, September 2013: text from a plus on is ignored; dots count",
        domains=_domains(
            "outlook.com outlook.at outlook.be outlook.cl outlook.co.id outlook.co.il outlook.co.th outlook.com.ar "
            "outlook.com.au outlook.com.br outlook.com.gr outlook.com.tr outlook.com.vn outlook.cz outlook.de "
            "outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr "
            "outlook.lv outlook.my outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk "
            "hotmail.com hotmail.at hotmail.be hotmail.ca hotmail.ch hotmail.cl hotmail.co.id hotmail.co.il "
            "hotmail.co.jp hotmail.co.kr hotmail.co.nz hotmail.co.th hotmail.co.uk hotmail.co.za hotmail.com.ar "
            "hotmail.com.au hotmail.com.br hotmail.com.tr hotmail.cz hotmail.de hotmail.dk hotmail.es hotmail.fi "
            "hotmail.fr hotmail.gr hotmail.hu hotmail.it hotmail.my hotmail.nl hotmail.no hotmail.ph hotmail.rs "
            "hotmail.se hotmail.sg hotmail.sk "
            "live.com live.at live.be live.ca live.cl live.cn live.co.kr live.co.uk live.co.za live.com.ar "
            "live.com.au live.com.mx live.com.my live.com.ph live.com.pt live.com.sg live.de live.dk live.fi live.fr "
            "live.hk live.ie live.in live.it live.jp live.nl live.no live.ru live.se msn.com windowslive.com"
        ),
    ),
    Provider(
        name="Yahoo",
        source="Yahoo Help, disposable addresses: a base name, a hyphen, a keyword; no other address has a hyphen",
        domains=_domains(
            "yahoo.com yahoo.at yahoo.be yahoo.ca yahoo.ch yahoo.cl yahoo.cn yahoo.co.id yahoo.co.in yahoo.co.kr "
            "yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.cn "
            "yahoo.com.co yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph yahoo.com.sg "
            "yahoo.com.tr yahoo.com.tw yahoo.com.ve yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.es yahoo.fi "
            "yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro "
            "yahoo.se myyahoo.com rocketmail.com ymail.com"
        ),
        separator="-",
    ),
    Provider(
        name="iCloud",
        source="Apple Support: an older account's mac.com and me.com addresses are its icloud.com address; plus tags",
        domains=_domains("icloud.com mac.com me.com"),
        home="icloud.com",
    ),
    Provider(
        name="Proton",
        source="Proton's web client compares addresses without . _ - and plus tags; its domains are kept apart",
        domains=_domains("proton.me protonmail.ch protonmail.com pm.me"),
        ignored="._-",
    ),
    Provider(
        name="Fastmail",
        source="Fastmail Help: plus addressing and subdomain addressing",
        domains=_domains(
            "fastmail.com fastmail.ca fastmail.cn fastmail.co.uk fastmail.com.au fastmail.de fastmail.es fastmail.fm "
            "fastmail.fr fastmail.im fastmail.in fastmail.jp fastmail.mx fastmail.net fastmail.nl fastmail.org "
            "fastmail.se fastmail.to fastmail.tw fastmail.uk fastmail.us sent.com"
        ),
        subdomains=True,
        free=False,
    ),
    Provider(
        name="Yandex",
        source="Yandex Help: a mailbox has the same name at every Yandex domain; plus tags",
        domains=_domains("yandex.ru ya.ru yandex.by yandex.com yandex.kz yandex.ua"),
        home="yandex.ru",
    ),
)

PROVIDER_OF: Mapping[str, Provider] = MappingProxyType(
    {domain: provider for provider in PROVIDERS for domain in provider.domains}
)

# Big providers where anybody can have a mailbox for nothing, and whose ways with an address aren't known well enough.
FREE: frozenset[str] = _domains(
    "126.com 139.com 163.com 189.cn abv.bg aim.com aliyun.com aol.com atomicmail.io bk.ru bol.com.br "
    "caramail.com centrum.cz daum.net disroot.org email.com email.cz foxmail.com freemail.hu freenet.de gmx.at gmx.ch "
    "gmx.com gmx.de gmx.fr gmx.net gmx.us hanmail.net i.ua ig.com.br inbox.lv inbox.ru index.hr interia.pl "
    "internet.ru keemail.me laposte.net libero.it list.ru mail.bg mail.com mail.ee mail.ru meta.ua murena.io "
    "nate.com naver.com o2.pl onet.pl op.pl post.com post.cz qq.com rambler.ru rediffmail.com "
    "sapo.pt seznam.cz sina.cn sina.com sohu.com tom.com tuta.com tuta.io tutamail.com tutanota.com tutanota.de "
    "ukr.net uol.com.br virgilio.it volny.cz web.de wp.pl yeah.net zoho.com zohomail.com zohomail.eu zohomail.in"
) | frozenset(domain for provider in PROVIDERS if provider.free for domain in provider.domains)
