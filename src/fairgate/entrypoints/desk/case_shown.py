"""Cases as the desk shows them: to who may see all of one, to who is blind to what others said, and to who leads."""

from fairgate.domain.case import Case, CaseState, Verdict
from fairgate.domain.event import moment
from fairgate.domain.look import Kind
from fairgate.domain.worth import value_per_minute
from fairgate.entrypoints.desk.case_answers import CaseAnswer, VerdictAnswer
from fairgate.entrypoints.desk.look_answers import GoldAnswer, LookAnswer, gold_shown, look_shown
from fairgate.entrypoints.desk.office import Office
from fairgate.entrypoints.desk.second_looks import Given


async def for_leads(desk: Office, number: int) -> tuple[list[LookAnswer], GoldAnswer | None]:
    """What was said of a case by whom, without what gold cases are for; and whether it is one."""
    looks, gold = await desk.records.do(lambda records: (records.looks.of(number), records.gold.get(number)))
    said = [look_shown(each) for each in looks if each.kind is not Kind.GOLD]
    return said, None if gold is None else gold_shown(gold)


def blind_shown(desk: Office, given: Given) -> CaseAnswer:
    """A case as who is to judge it by the evidence alone sees it: whichever it is, it looks the same."""
    case, look, facts = given.case, given.look, given.case.facts
    now = desk.records.clock.now()
    at_work = look.claimed(now)
    return CaseAnswer(
        number=case.number,
        version=look.version,
        state=CaseState.OPEN,
        accounts=list(case.accounts),
        opened=None,
        opened_by="",
        why=case.why,
        ref="",
        probability=None,
        burn=None,
        value=None,
        minutes=facts.stake.minutes,
        suggested=None,
        reasons=list(facts.reasons),
        evidence=list(facts.evidence),
        events=list(facts.events),
        claimed_by=at_work,
        claimed_until=moment(look.claim.until) if look.claim is not None and at_work is not None else None,
        snoozed_until=None,
        escalated=False,
        merged_into=None,
        split_from=None,
        query=case.query,
        verdict=None,
        blind=True,
    )


def case_shown(desk: Office, case: Case) -> CaseAnswer:
    """A case, to who may see all of it."""
    facts, now = case.facts, desk.records.clock.now()
    stake = facts.stake.faded(now)
    at_work, verdict = case.claimed(now), case.verdict
    return CaseAnswer(
        number=case.number,
        version=case.version,
        state=case.state,
        accounts=list(case.accounts),
        opened=moment(case.opened),
        opened_by=case.opened_by,
        why=case.why,
        ref=case.ref,
        probability=stake.probability,
        burn=stake.burn,
        value=value_per_minute(stake),
        minutes=stake.minutes,
        suggested=facts.suggested.word,
        reasons=list(facts.reasons),
        evidence=list(facts.evidence),
        events=list(facts.events),
        claimed_by=at_work,
        claimed_until=moment(case.claim.until) if case.claim is not None and at_work is not None else None,
        snoozed_until=moment(case.snoozed_until) if case.snoozed_until > now else None,
        escalated=case.escalated,
        merged_into=case.merged_into,
        split_from=case.split_from,
        query=case.query,
        verdict=None if verdict is None else _verdict(verdict),
    )


def _verdict(verdict: Verdict) -> VerdictAnswer:
    return VerdictAnswer(
        outcome=verdict.outcome,
        action=verdict.action.word,
        reasons=list(verdict.reasons),
        confidence=verdict.confidence,
        at=moment(verdict.at),
        by=verdict.by,
        why=verdict.why,
    )
