"""Decides by a pack as the live service does: the same decoder and engine, a clock of its own, nothing behind it."""

from collections.abc import Iterable
from typing import Final

from fairgate.domain.errors import NoSuchList
from fairgate.domain.event import Refusal
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder
from fairgate.kernel.rows import Rows
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.engine import Engine
from fairgate.simulate.service import ALLOWED, Verdict
from fairgate.simulate.world_file import Loaded

#: A refusal that means nothing more than that a pack doesn't look at such events.
_NOT_ASKED_FOR: Final = "unknown_type"
#: Packs that have a list by this name have new models entered there by the company, for so long.
_NEW_MODELS: Final = "new_models"
_NEW_FOR: Final = 14 * DAY


class Judge:
    """Takes events in order of time, and the company's entries in the pack's lists when their day comes.

    The same pack, secret, world and events give the same verdicts.
    """

    def __init__(self, checked: CheckedPack, secret: int, world: Loaded) -> None:
        self.engine = Engine(checked, secret, Rows)
        self._decoder = Decoder(checked, self.engine.plan.longest)
        self._releases = sorted(_releases(world))

    def decide(self, raw: bytes, time: int) -> Verdict:
        """What is decided on the CloudEvent of these bytes, received at its time.

        Raises ValueError for one that the door would refuse: those who are simulated send what the pack knows.
        """
        while self._releases and self._releases[0][0] <= time:
            self._enter(*self._releases.pop(0))
        event = self._decoder.single(raw, time)
        if isinstance(event, Refusal):
            if event.code == _NOT_ASKED_FOR:
                return ALLOWED
            message = f"the door would refuse a simulated event: {event.reason} ({raw.decode()})"
            raise ValueError(message)
        [judged] = self.engine.run([event])
        decision = judged.decision
        if not (decision.rules or decision.lists):
            return ALLOWED if decision.action == ALLOWED.action else Verdict(decision.action)
        counted = tuple(rule for rule in decision.rules if rule not in decision.silent)
        return Verdict(decision.action, counted, decision.lists, decision.probability)

    def _enter(self, time: int, model: str) -> None:
        try:
            self.engine.lists.put(_NEW_MODELS, model, time + _NEW_FOR)
        except NoSuchList:
            return


def _releases(world: Loaded) -> Iterable[tuple[int, str]]:
    for each in world.world.release:
        yield world.begins + each.day * DAY, each.model
