"""What is known of each account of a case, by the decisions that speak for it; and how the case is divided by that."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce

from msgspec.structs import replace

from fairgate.casework.opening import Reader
from fairgate.domain.case import Facts, Finding
from fairgate.domain.pack import Pack
from fairgate.domain.parting import Part, Parting
from fairgate.domain.worth import Stake
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.records import EventRecord, decode
from fairgate.ports.event_log import EventLog


def findings_in(log: EventLog, events: Iterable[int]) -> list[Finding]:
    """What the decisions of these numbers found, oldest first, each by the pack that was live then.

    Left out is what is in the log no more, has no account, or was decided by a pack that opens no cases.
    """
    packs: dict[str, Pack] = {}
    found = []
    for number in sorted(events):
        record = decode(number, log.get(number)) if log.begin() <= number < log.end() else None
        if not isinstance(record, EventRecord):
            continue
        live = live_pack(log, number)
        pack = packs.get(live.digest) or packs.setdefault(live.digest, pack_from_texts(live.files))
        if pack.cases is None:
            continue
        reader = Reader(live, pack, pack.cases, record.type)
        account = reader.account(record)
        if account is not None:
            found.append(reader.finding(number, record, account, reader.cost(record)))
    return found


def parting(stay: Sequence[str], go: Sequence[str], findings: Iterable[Finding], now: int) -> Parting:
    """How a case is divided. Of an account that decisions found nothing about, as much is taken as of others."""
    known = _known(findings, now)
    burn, at_risk, worth = (_share(stay, go, known, of) for of in (_burn, _at_risk, _worth))
    return Parting(
        stays=Part(1.0 - burn, 1.0 - at_risk, 1.0 - worth, _own(stay, known, now)),
        goes=Part(burn, at_risk, worth, _own(go, known, now)),
    )


def _known(findings: Iterable[Finding], now: int) -> Mapping[str, Facts]:
    """What decisions found of each account; it burns what all of them together used."""
    known: dict[str, Facts] = {}
    for each in findings:
        stake, before = each.stake.faded(now), known.get(each.account)
        burn = stake.burn + (0.0 if before is None else before.stake.burn)
        facts = (before or Facts(stake)).fed(each)
        known[each.account] = replace(facts, stake=replace(facts.stake, burn=burn))
    return known


def _own(accounts: Sequence[str], known: Mapping[str, Facts], now: int) -> Facts | None:
    """What is known of all of these accounts; None where one is among them of which nothing is."""
    facts = [known[account] for account in accounts if account in known]
    return reduce(lambda one, two: one.joined(two, now), facts) if len(facts) == len(accounts) else None


def _share(stay: Sequence[str], go: Sequence[str], known: Mapping[str, Facts], of: Callable[[Stake], float]) -> float:
    """The share of those that go in something of which each account has so much."""
    had = {account: of(known[account].stake) for account in (*stay, *go) if account in known}
    usual = sum(had.values()) / len(had) if had else 1.0
    goes, stays = (sum(had.get(account, usual) for account in part) for part in (go, stay))
    return goes / (goes + stays) if goes + stays > 0 else len(go) / (len(go) + len(stay))


def _burn(stake: Stake) -> float:
    return stake.burn


def _at_risk(stake: Stake) -> float:
    return stake.at_risk


def _worth(stake: Stake) -> float:
    return stake.worth
