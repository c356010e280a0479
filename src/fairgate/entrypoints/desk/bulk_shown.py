"""Bulk actions as they are answered."""

from collections.abc import Sequence

from fairgate.domain.bulk import Ages, Bulk, Happening, Preview, Progress
from fairgate.domain.event import moment
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk.bulk_answers import (
    AgesShown,
    BulkAnswer,
    BulkBrief,
    EvidenceShown,
    HappeningShown,
    MoneyShown,
    PreviewShown,
    ProgressShown,
    SampledShown,
)

_NO_MONEY = "what they pay: the pack's [bulk] does not say"
_NO_AGES = "how old they are: the pack's [bulk] does not say, or no event tells"


def brief(bulk: Bulk, now: int) -> BulkBrief:
    """One in a list."""
    return BulkBrief(
        number=bulk.number,
        state=bulk.state_at(now),
        action=bulk.order.action.word,
        accounts=bulk.preview.accounts,
        drafted=moment(bulk.drafted),
        drafted_by=bulk.drafted_by,
        why=bulk.order.why,
    )


def shown(bulk: Bulk, progress: Progress, history: Sequence[Happening], now: int) -> BulkAnswer:
    """One with all that is known of it."""
    order = bulk.order
    return BulkAnswer(
        number=bulk.number,
        state=bulk.state_at(now),
        action=order.action.word,
        length=order.length or None,
        reasons=list(order.reasons),
        evidence=list(order.evidence),
        why=order.why,
        ref=bulk.ref,
        batch=bulk.batch,
        query=bulk.query or None,
        drafted=moment(bulk.drafted),
        drafted_by=bulk.drafted_by,
        expires=moment(bulk.expires),
        phrase=bulk.phrase,
        second=bulk.second,
        confirmed_by=bulk.confirmed_by,
        problem=bulk.problem,
        preview=_preview(bulk.preview),
        progress=ProgressShown(progress.left, progress.taken, progress.refused, progress.fates),
        history=[HappeningShown(moment(each.at), each.by, each.state, each.why) for each in history],
    )


def _preview(preview: Preview) -> PreviewShown:
    money, ages, evidence = preview.money, preview.ages, preview.evidence
    unknown = [words for known, words in ((money, _NO_MONEY), (ages, _NO_AGES)) if known is None]
    return PreviewShown(
        accounts=preview.accounts,
        skipped=preview.skipped,
        loses=preview.loses,
        money=None if money is None else MoneyShown(money.paying, money.days_30, money.days_90, money.largest),
        ages=None if ages is None else _ages(ages),
        ages_unknown=preview.ages_unknown,
        unknown=unknown,
        evidence=EvidenceShown(
            days=evidence.days,
            none=evidence.none,
            share_none=round(evidence.none / max(1, preview.accounts), 4),
            one_group=evidence.one_group,
            weakest=list(evidence.weakest),
        ),
        seed=preview.seed,
        sample=[
            SampledShown(each.account, each.groups, each.log_odds, each.source or None, each.id or None)
            for each in preview.sample
        ],
    )


def _ages(ages: Ages) -> AgesShown:
    newest, lower, median, upper, oldest = (
        round(each / DAY, 2) for each in (ages.newest, ages.lower, ages.median, ages.upper, ages.oldest)
    )
    return AgesShown(newest, lower, median, upper, oldest)
