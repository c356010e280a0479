"""From the log to the records: of whoever is erased there, no words and no challenge are left in these."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from fairgate.domain.appeal import Appeal
from fairgate.domain.ledger import Subject
from fairgate.domain.pack import Pack
from fairgate.domain.secret import Secrets, Tokens
from fairgate.enforce.subjects import ACCOUNT, plain
from fairgate.ingest.identifiers import TYPES
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.projection import Watcher
from fairgate.pipeline.recorded import read_by
from fairgate.pipeline.records import EraseRecord, EventRecord, PackRecord, Record, decode
from fairgate.ports.appeals import Appeals
from fairgate.ports.challenges import Challenges
from fairgate.ports.event_log import EventLog

#: Appeals that are looked at at a time.
_PAGE: Final = 500
#: Records that are looked through for who used something: some seconds of them.
_FAR: Final = 200_000


class Erasing(Watcher):
    """Erases the words of appeals, and the challenges, of whoever is erased by the log. Seen twice, it does so twice.

    An appeal about a key, a card or the like is theirs where they used it of late and nobody else did. `secrets` are
    asked for where accounts are personal.
    """

    events = False

    def __init__(
        self,
        appeals: Appeals,
        challenges: Challenges,
        log: EventLog,
        secrets: Callable[[], Secrets],
    ) -> None:
        self._appeals = appeals
        self._challenges = challenges
        self._log = log
        self._secrets = secrets
        self._types: frozenset[str] = frozenset()
        self._personal = False

    def live(self, _: PackRecord, pack: Pack) -> None:
        """See `Watcher`."""
        every = (attribute for each in pack.event_types.values() for attribute in each.attributes)
        accounts = [each for each in every if each.entity == ACCOUNT]
        self._types = frozenset(each.type for each in accounts)
        self._personal = any(each.personal for each in accounts)

    def see(self, _: int, record: Record) -> None:
        """See `Watcher`."""
        match record:
            case EraseRecord(subject=Subject() as subject):
                self._appeals.erase(subject, self._through_others(subject))
                self._challenges.erase(self._is(subject))
            case _:
                pass  # nobody is erased by it

    def due(self, _: int) -> bool:
        """See `Watcher`."""
        return False

    def keep(self, upto: int, now: int) -> None:
        """See `Watcher`."""

    def _through_others(self, subject: Subject) -> list[int]:
        """Appeals about what the subject used and nobody else did, as far as the log's end knows."""
        held = list[Appeal]()
        while page := self._appeals.about_others(ACCOUNT, held[-1].number if held else -1, _PAGE):
            held += page
        used = _used_by(self._log, {each.subject for each in held}) if held else {}
        return [each.number for each in held if used.get(each.subject) == {subject.value}]

    def _is(self, subject: Subject) -> Callable[[str], bool]:
        """Whether an account, as a service called it, is the subject, as the ledger does."""
        tokens = [Tokens(secret, at) for at, secret in self._secrets().versions.items()] if self._personal else []
        forms = [_canonical(each) for each in self._types]

        def is_it(account: str) -> bool:
            texts = {account, *(form(account) for form in forms)}
            return subject.value in texts or any(subject.value == each.text(text) for each in tokens for text in texts)

        return is_it


def _used_by(log: EventLog, wanted: AbstractSet[Subject]) -> Mapping[Subject, AbstractSet[str]]:
    """The accounts that used each of these entities, by the log's last records."""
    start = max(log.begin(), log.end() - _FAR)
    live, readers = live_pack(log, start), dict[str, _Reader]()
    used: dict[Subject, set[str]] = {}
    for number, data in log.read(start):
        record = decode(number, data)
        if isinstance(record, PackRecord):
            live, readers = record, {}
        if not isinstance(record, EventRecord):
            continue
        if record.type not in readers:
            readers[record.type] = _Reader(live, record.type, {each.kind for each in wanted})
        reader = readers[record.type]
        for account in reader.accounts(record):
            for each in reader.others(record):
                if each in wanted:
                    used.setdefault(each, set()).add(account)
    return used


class _Reader:
    """Reads accounts and what they used from one type's records."""

    def __init__(self, live: PackRecord, event_type: str, kinds: AbstractSet[str]) -> None:
        attributes = pack_from_texts(live.files).event_types[event_type].attributes
        reads = [(each.entity, read_by(live, event_type, each)) for each in attributes if each.entity is not None]
        self._accounts = [read for kind, read in reads if kind == ACCOUNT]
        self._others = [(kind, read) for kind, read in reads if kind in kinds]

    def accounts(self, record: EventRecord) -> list[str]:
        """The account of an event, where it has one."""
        return [account for read in self._accounts if (account := read(record)) is not None]

    def others(self, record: EventRecord) -> list[Subject]:
        """The entities of these kinds that it has."""
        return [Subject(kind, value) for kind, read in self._others if (value := read(record)) is not None]


def _canonical(kind: str) -> Callable[[str], str]:
    """How a text is spelt as a value of a type; as it is where it can't be one."""
    semantic = TYPES.get(kind)

    def canonical(text: str) -> str:
        try:
            return plain(text) if semantic is None else semantic.canonical(text)
        except ValueError:
            return text

    return canonical
