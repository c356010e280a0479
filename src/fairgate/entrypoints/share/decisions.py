"""What decisions hold accounts to, by the messages that came of them.

Messages come at least once, and one may come again after later ones: what counts is when each was made.
"""

from typing import Final, Generic, TypeAlias, TypeVar

from fairgate.domain.action import SWITCH
from fairgate.entrypoints.share.lines import Decided, Switched

#: How the switch of all enforcement is called.
ALL: Final = "all"
Word: TypeAlias = Decided | Switched
_W = TypeVar("_W", bound=Decided | Switched)


class _Latest(Generic[_W]):
    """The words of the newest time, by whom or what they are about. The last one that came counts."""

    def __init__(self) -> None:
        self.words: dict[str, list[_W]] = {}

    def is_news(self, key: str, word: _W) -> bool:
        taken = self.words.get(key)
        if not taken or word.said > taken[-1].said:
            return True
        return word.said == taken[-1].said and all(each.message != word.message for each in taken)

    def take(self, key: str, word: _W) -> bool:
        if not self.is_news(key, word):
            return False
        same: list[_W] = [each for each in self.words.get(key, ()) if each.said == word.said]
        self.words[key] = [*same, word]
        return True


class Decisions:
    """The last word on each account and each switch. `throttled` is the ceiling that a rate is taken of."""

    def __init__(self, throttled: float) -> None:
        self._throttled = throttled
        self._accounts = _Latest[Decided]()
        self._switches = _Latest[Switched]()
        self._off: frozenset[str] = frozenset()

    @property
    def accounts(self) -> list[str]:
        """All accounts on which there is a word."""
        return list(self._accounts.words)

    def __len__(self) -> int:
        """How many words are needed to know all of it."""
        return sum(len(each) for latest in (self._accounts, self._switches) for each in latest.words.values())

    def is_news(self, word: Word) -> bool:
        """Whether a word would change anything: not one that was taken before, or is older than what was."""
        if isinstance(word, Decided):
            return self._accounts.is_news(word.account, word)
        return self._switches.is_news(word.switch, word)

    def take(self, word: Word) -> bool:
        """Let a word count from now on, if it is news; returns whether it was."""
        if isinstance(word, Decided):
            return self._accounts.take(word.account, word)
        taken = self._switches.take(word.switch, word)
        self._off = frozenset(name for name, words in self._switches.words.items() if words[-1].off)
        return taken

    def needs(self, word: Word) -> bool:
        """Whether a word that was taken is still needed: it counts, or tells a repeat from news."""
        if isinstance(word, Decided):
            return word in self._accounts.words.get(word.account, ())
        return word in self._switches.words.get(word.switch, ())

    def concerned(self, word: Word) -> list[str]:
        """The accounts whose ceiling a word that was taken may have changed."""
        return [word.account] if isinstance(word, Decided) else self.accounts

    def last(self, account: str) -> Decided | None:
        """The last word on an account."""
        words = self._accounts.words.get(account)
        return words[-1] if words else None

    def meant(self, word: Decided) -> float | None:
        """The ceiling that a word means, whether or not it counts; None for none."""
        if not word.use:
            return 0.0
        return None if word.rate >= 1 else self._throttled * word.rate

    def off_for(self, word: Decided) -> str | None:
        """The switch by which a word does not count; None where it does."""
        return next((name for name in (ALL, SWITCH + word.action) if name in self._off), None)

    def ceil_of(self, account: str) -> float | None:
        """The ceiling that an account has by decisions now; None for none."""
        word = self.last(account)
        return None if word is None or self.off_for(word) is not None else self.meant(word)
