"""What a decision leads to where quality is concerned: whether somebody else looks, and what is held until then."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

from fairgate.casework.handling import Hand, Step, began, handed_up, rounds
from fairgate.casework.second import drawn
from fairgate.domain.case import Case, Happening
from fairgate.domain.look import Kind, LookState, OneLook, Staged, Word
from fairgate.entrypoints.desk.measuring import Measuring
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.settings import Settings
from fairgate.wiring import Records


@dataclass(frozen=True, slots=True)
class First:
    """What is done at once, whether something is held, and what is kept of the decision.

    `overrules` is whether it settles what two had said differently, so that what they did is undone.
    """

    at_once: Sequence[Staged]
    looks: Sequence[OneLook]
    happenings: Sequence[Happening] = ()
    overrules: bool = False

    @property
    def holds(self) -> bool:
        """Whether something waits for a second look."""
        return any(each.held for each in self.looks)

    def keep(self, records: Records, step: Step) -> bool:
        """Keep the decided case with it, as one; False where the case has changed since."""
        return records.looks.keep(self.looks, step.case, [*self.happenings, step.happening])


class Doubts:
    """Decides who looks twice. `draw` draws by lot.

    Nobody looks twice where the settings say so, nor where there are no API keys: nobody can be told apart then.
    """

    def __init__(self, settings: Settings, measuring: Measuring, draw: Random | None = None) -> None:
        self.settings = settings.desk
        self._measuring = measuring
        self._draw = draw or SystemRandom()

    def first(self, file: tuple[Case, Sequence[Happening]], word: Word, staged: Sequence[Staged], hand: Hand) -> First:
        """What a word on a case leads to: nobody looks at the last one, where two had not said the same."""
        case, history = file
        last, again = handed_up(history), rounds(history)
        look = OneLook(
            number=-1,
            case=case.number,
            round=again,
            kind=Kind.ORDINARY,
            propensity=case.propensity,
            made=hand.at,
            version=1,
            state=LookState.DONE,
            by=hand.by,
            began=began(history, hand.by, hand.lasts) or hand.at,
            ended=hand.at,
            word=word,
            settles=last,
        )
        if last or not self.settings.second_looks or hand.by == ANYONE:
            return First(staged, [look], overrules=last)
        errors = self._measuring.errors(hand.by), self._measuring.others(hand.by)
        found = drawn(case.facts.stake, word, staged, errors, self._draw)
        if found.propensity is None:
            return First(staged, [look])
        double = OneLook(-1, case.number, again, Kind.DOUBLE, found.propensity, hand.at, held=found.held)
        held = [Happening(hand.at, hand.by, "held", "until somebody else has looked")] if found.held else []
        return First(found.at_once, [look, double], held)
