"""The mix of requests that the door is measured with: 90 % api.request, 4 % log-ins, 3 % payments, 3 % sign-ups."""

import json
import random
from collections.abc import Iterator

_ACCOUNTS = 20_000
_MODELS = ("atlas-small", "atlas-large", "atlas-embed")
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


def bodies(count: int, seed: int = 7, prefix: str = "e") -> Iterator[bytes]:
    """CloudEvents without a time, of accounts of which few do most."""
    draw = random.Random(seed)
    for number in range(count):
        account = int(_ACCOUNTS * draw.random() ** 3)
        kind, data = _event(draw, account, number)
        event = {"specversion": "1.0", "id": f"{prefix}{seed}-{number}", "source": "bench", "type": kind, "data": data}
        yield json.dumps(event, separators=(",", ":")).encode()


def _event(draw: random.Random, account: int, number: int) -> tuple[str, dict[str, object]]:
    where = {
        "ip": f"10.{account % 200}.{account // 200 % 256}.{draw.randrange(3)}",
        "asn": str(64_496 + account % 100),
        "country": "DE",
    }
    who: dict[str, object] = {"account": f"acct_{account}", "tier": "payg", **where}
    browser = {"user_agent": _BROWSER, "device": f"dev_{account}", "timezone": "Europe/Berlin", "bot_score": 0.1}
    share = draw.random()
    if share < 0.90:
        return "api.request", who | {
            "key": f"key_{account}",
            "model": _MODELS[draw.randrange(3)],
            "endpoint": "chat",
            "input_tokens": draw.randrange(4_000),
            "output_tokens": draw.randrange(1_000),
            "cost": round(draw.random() / 10, 4),
            "status": 200,
            "client": "python-sdk/2.1",
            "prompt_template": f"p{account % 997}",
            "user_agent": "python-sdk/2.1",
        }
    if share < 0.94:
        return "account.login", who | browser | {"success": True, "method": "password"}
    if share < 0.97:
        card = {"card": f"card_{account}", "card_country": "DE", "amount": 20, "outcome": "accepted"}
        return "payment.charged", who | card | {"purpose": "credits", "device": f"dev_{account}"}
    new = {"account": f"new_{number}_{draw.randrange(1 << 30)}", "email": f"user{number}.{account}@example.com"}
    return "account.signup", who | browser | new | {"method": "password"}
