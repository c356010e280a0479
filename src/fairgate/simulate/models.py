"""Models on offer, and what they cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """A model on offer, with its list price in dollars per million tokens."""

    name: str
    input_price: float
    output_price: float


def released(name: str) -> Model:
    """A model that comes out while a world is played: dear as the dearest on offer."""
    return Model(name, FRONTIER.input_price, FRONTIER.output_price)


TINY = Model("tiny-1", 0.1, 0.4)
BASE = Model("base-2", 0.5, 2.0)
LARGE = Model("large-2", 3.0, 15.0)
FRONTIER = Model("frontier-2", 15.0, 75.0)
MODELS = (
    TINY, BASE, LARGE, FRONTIER,
    Model("reason-1", 10.0, 40.0), Model("code-2", 3.0, 12.0), Model("vision-1", 2.0, 8.0), Model("audio-1", 2.0, 6.0),
    Model("embed-1", 0.02, 0.0),
)  # fmt: skip
