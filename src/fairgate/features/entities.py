"""From an entity, named by kind and value, to a request that reads what is remembered of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairgate.domain.errors import BadEntity, NoSuchEntityKind
from fairgate.domain.secret import Tokens, is_token_text, key_of
from fairgate.features.extract import hash_number, hash_text
from fairgate.features.plan import EntityPlan, FeaturePlan
from fairgate.kernel.layout import REQUEST_HEADER
from fairgate.language.semantic import SemanticType
from fairgate.language.tree import Kind


@dataclass(frozen=True, slots=True)
class EntityRequest:
    """An entity in its canonical form, and the request of `FeaturePlan.reading` for it, uint64 [1, n].

    `token` stands for a value that is personal; for others it is empty.
    """

    value: str
    token: str
    words: NDArray[np.uint64]


class EntityRequests:
    """Makes the requests of one plan. `tokens` are those that its rows know personal texts by."""

    def __init__(self, plan: FeaturePlan, semantics: Mapping[str, SemanticType], tokens: Tokens) -> None:
        self._plan = plan
        self._semantics = semantics
        self._tokens = tokens

    def of(self, kind: str, value: str, clock: int) -> EntityRequest:
        """What asks for an entity at a time. A personal one may be named by its token.

        Raises `NoSuchEntityKind`, or `BadEntity` where the value can't be one.
        """
        entities = self._plan.entities
        if kind not in entities:
            raise NoSuchEntityKind(kind, tuple(entities))
        words = np.zeros((1, self._plan.reading.request_words), np.uint64)
        try:
            spelt, key = self._identified(entities[kind], value)
        except ValueError as error:
            raise BadEntity(kind, str(error)) from error
        words[0, : REQUEST_HEADER + 1] = entities[kind].index, clock, clock, key
        personal = entities[kind].personal
        return EntityRequest(spelt, self._token(spelt) if personal else "", words)

    def _token(self, value: str) -> str:
        return value if is_token_text(value) else self._tokens.text(value)

    def _identified(self, entity: EntityPlan, value: str) -> tuple[str, int]:
        """A value as events are compared by it, and its key in the rows. ValueError where it can't be one."""
        salt, tokens = self._plan.salt, self._tokens
        if entity.personal and is_token_text(value):
            version, _, digits = value.partition(":")
            if version != f"t{tokens.version}":
                raise ValueError("is a token of another version of the secret")
            return value, key_of(bytes.fromhex(digits))
        if entity.kind == Kind.NUMBER:
            number = _number(value)
            return str(int(number)) if number.is_integer() else repr(number), hash_number(number, salt)
        text = value if entity.semantic is None else self._semantics[entity.semantic].canonical(value)
        if not text:
            raise ValueError("is empty")
        return text, tokens.key[text] if entity.personal else hash_text(text, salt)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("is not a number")
    return number
