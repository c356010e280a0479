"""`fairgate bulk`: bulk actions from the command line, which asks the desk for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from fairgate.domain.errors import DeskRefused, DeskUnreachable
from fairgate.entrypoints.desk.bulk_answers import BulkAnswer
from fairgate.entrypoints.door.http import Problems
from fairgate.entrypoints.door_client import url_at
from fairgate.settings import Settings

#: Seconds that an answer may take: a draft asks the lake.
_PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class BulkClient:
    """Asks a desk, by an API key where one is given. Raises `DeskRefused` in its words, or `DeskUnreachable`."""

    settings: Settings
    echo: Callable[[str], object]
    url: str | None
    key: str | None

    def draft(self, body: dict[str, object], *, as_json: bool) -> int:
        """Draft one."""
        return self._told("POST", "", body, as_json=as_json)

    def show(self, number: int, *, as_json: bool) -> int:
        """Show one."""
        return self._told("GET", f"/{number}", None, as_json=as_json)

    def move(self, number: int, what: str, body: dict[str, object]) -> int:
        """Let one go on: `confirm`, `approve`, `reject`, `cancel` or `undo`."""
        return self._told("POST", f"/{number}/{what}", body, as_json=False)

    def _told(self, method: str, path: str, body: dict[str, object] | None, *, as_json: bool) -> int:
        raw = self._ask(method, path, body)
        self.echo(raw.decode() if as_json else words_of(msgspec.json.decode(raw, type=BulkAnswer)))
        return 0

    def _ask(self, method: str, path: str, body: dict[str, object] | None) -> bytes:
        certificate = self.settings.door.tls_cert
        try:
            with httpx.Client(
                base_url=self.url or _url_of(self.settings),
                headers={} if self.key is None else {"authorization": f"Bearer {self.key}"},
                timeout=_PATIENCE,
                verify=True if certificate is None else str(certificate),
                trust_env=False,  # a key is never sent through a proxy that the environment happens to name
            ) as client:
                answer = client.request(method, f"/v1/bulk{path}", json=body)
        except httpx.HTTPError as error:
            raise DeskUnreachable(self.url or _url_of(self.settings), str(error)) from error
        if answer.is_success:
            return answer.content
        try:
            reason = msgspec.json.decode(answer.content, type=Problems).error.reason
        except msgspec.DecodeError:
            reason = f"status {answer.status_code}"
        raise DeskRefused(reason)


def words_of(bulk: BulkAnswer) -> str:
    """A bulk action in lines that people read."""
    preview, progress = bulk.preview, bulk.progress
    lines = [
        f"bulk action {bulk.number} is {bulk.state}: {bulk.phrase}",
        f"  why        {bulk.why}",
        f"  they lose  {preview.loses}",
        f"  left out   {_counts(preview.skipped) or 'none'}",
    ]
    if preview.money is not None:
        money = preview.money
        paid = f"{money.days_30:,.2f} in 30 days, {money.days_90:,.2f} in 90, at most {money.largest:,.2f} by one"
        lines.append(f"  paying     {money.paying:,}: {paid}")
    if preview.ages is not None:
        ages = preview.ages
        lines.append(
            f"  days old   {ages.newest:g} to {ages.oldest:g},"
            f" quartiles {ages.lower:g}, {ages.median:g}, {ages.upper:g}"
        )
    lines += [f"  not known  {each}" for each in preview.unknown]
    evidence = preview.evidence
    lines += [
        f"  evidence   of {evidence.none:,} none in {evidence.days} days, of {evidence.one_group:,} of one kind alone",
        f"  weakest    {', '.join(evidence.weakest)}",
        f"  sample     {', '.join(each.account for each in preview.sample)}",
        f"  progress   {progress.taken:,} taken, {progress.left:,} left; {_counts(progress.refused) or 'none'} refused",
    ]
    if progress.met:
        lines.append(f"  its undo   {_counts(progress.met)}")
    if bulk.problem:
        lines.append(f"  stopped    {bulk.problem}")
    if bulk.state == "draft":
        second = ", and somebody else must approve it" if bulk.second else ""
        lines.append(f'To confirm it, until {bulk.expires:%H:%M} UTC: type "{bulk.phrase}"{second}.')
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))


def _url_of(settings: Settings) -> str:
    """Where a desk with these settings answers."""
    return url_at(settings.desk.host, settings.desk.port, tls=settings.door.tls_cert is not None)
