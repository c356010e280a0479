"""An engine takes over what profiles know from the rows of another pack's."""

import pytest

from fairgate.domain.event import Event
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder
from fairgate.pipeline.engine import Engine, FeatureValue
from tests.support import HEAD, NOW, body, checked, new_engine, read

SEGMENT = '[[segment]]\nname = "default"\n'
SINCE = 'since("account.signup", by=account)'
PLAN = 'last(plan, on="account.signup", by=email)'
DOMAIN = 'first(email.domain, on="account.signup", by=(account, ip))'
IS_NEW = 'is_new(email, on="account.signup", by=device)'
COUNT = 'count("account.signup", by=account, over="90d")'
LATER = NOW + 400 * DAY


def pack(*features: str) -> str:
    """A pack that reads these at sign-ups."""
    tables = (
        f'[[feature]]\nname = "f{number}"\nvalue = \'{each}\'\non = ["account.signup"]\n'
        for number, each in enumerate(features)
    )
    return "\n".join([HEAD, SEGMENT, *tables])


OLD, NEW = pack(COUNT, IS_NEW, PLAN, SINCE, DOMAIN), pack(DOMAIN, SINCE, IS_NEW, PLAN, COUNT)
DECODER = Decoder(checked(NEW), 90 * DAY)


def sign_up(received: int, **data: object) -> Event:
    """A sign-up of the new pack, whose event types are those of the old one."""
    return read(DECODER, body({"device": "d", "plan": "free"} | data, id=str(received)), received)


def handed_over(old: Engine, text: str) -> tuple[Engine, tuple[str, ...]]:
    """An engine of a pack, with the profiles of another engine."""
    new = new_engine(text)
    for each in old.texts.all():
        new.texts.number(each)
    return new, new.carry(old.rows.arrays(), old.checked)


def features(engine: Engine, each: Event) -> list[FeatureValue]:
    """What it reads at an event."""
    [judged] = engine.run([each])
    return list(engine.values(each.type, judged.features))


def test_an_aged_account_stays_aged() -> None:
    old = new_engine(OLD)
    old.run([sign_up(NOW), sign_up(NOW + DAY, plan="gold")])
    new, anew = handed_over(old, NEW)
    assert anew == ()
    assert features(new, sign_up(LATER)) == ["example.com", 399 * DAY / 1e6, False, "gold", 1.0]
    assert features(new, sign_up(LATER, account="b", email="b@example.com"))[2:4] == [True, None]


def test_what_is_left_of_the_log_may_be_counted_again() -> None:
    events = [sign_up(NOW), sign_up(NOW + DAY, plan="gold", email="b@example.com"), sign_up(NOW + 2 * DAY, plan="gold")]
    old, whole = new_engine(OLD), new_engine(NEW)
    old.run(events)
    whole.run(events)
    new, _ = handed_over(old, NEW)
    new.run(events[1:])
    assert features(new, sign_up(LATER)) == features(whole, sign_up(LATER))
    assert new.peek("account", "a", LATER).features == whole.peek("account", "a", LATER).features


def test_it_says_what_begins_anew() -> None:
    old = new_engine(pack(SINCE, COUNT))
    old.run([sign_up(NOW)])
    new, anew = handed_over(old, NEW)
    assert set(anew) == {DOMAIN, PLAN, IS_NEW}
    assert features(new, sign_up(LATER)) == [None, 400 * DAY / 1e6, True, None, 1.0]


def test_an_engine_that_has_counted_is_left_as_it_is() -> None:
    old = new_engine(OLD)
    old.run([sign_up(NOW)])
    with pytest.raises(ValueError, match="empty"):
        old.carry(old.rows.arrays(), old.checked)


def test_profiles_go_from_pack_to_pack() -> None:
    old = new_engine(OLD)
    old.run([sign_up(NOW)])
    between, _ = handed_over(old, pack(COUNT, DOMAIN, SINCE, IS_NEW, PLAN))
    last, anew = handed_over(between, OLD)
    assert anew == ()
    assert features(last, sign_up(LATER)) == [1.0, False, "free", 400 * DAY / 1e6, "example.com"]
