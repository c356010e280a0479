"""The workload of the whole-path benchmarks: one event type, six entities, 36 features, 100 rules."""

import random

import msgspec

from fairgate.domain.event import moment

_START = 1_767_571_200_000_000  # 2026-01-05
ENTITIES = ("account", "org", "key", "ip", "device", "card")
_HEAD = """
[pack]
name = "path"
version = "1"
about = "A benchmark's workload"

[event."api.request".attributes]
account = { entity = "account", required = true }
org = { entity = "org" }
key = { entity = "key" }
ip = { type = "ip", entity = "ip", personal = true }
device = { entity = "device" }
card = { entity = "card" }
model = "text"
status = "text"
tokens = "number"
cost = "number"
country = "text"

[[reason]]
code = "usage"
user = "Unusual use."
reviewer = "Unusual use."
executive = "Unusual use."

[[segment]]
name = "default"
"""


def features() -> list[str]:
    """Six aggregates for each of the six entities."""
    found = []
    for index, entity in enumerate(ENTITIES):
        other = ENTITIES[(index + 1) % len(ENTITIES)]
        found += [
            f'count("api.request", by={entity}, over="1h")',
            f'total(cost, by={entity}, over="1h")',
            f'count("api.request", by={entity}, over="24h")',
            f'mean(tokens, by={entity}, over="24h")',
            f'total(cost, by={entity}, over="7d")',
            f'distinct({other}, by={entity}, over="1h")',
        ]
    return found


def pack_text(rules: int = 100) -> str:
    """The pack: each rule compares two features and an attribute, as real ones do; about 1 % of events fire one."""
    draw = random.Random(5)
    reads = features()
    parts = [_HEAD]
    for number in range(rules):
        first, second = draw.sample(reads, 2)
        attribute = draw.choice(['model == "large"', 'country in ("KP", "IR")', "tokens > 90000", 'status != "ok"'])
        parts.append(
            f"""
[[rule]]
name = "r{number}"
on = "api.request"
when = '{first} > {draw.randint(900, 2999)} and {second} > {draw.randint(10, 500)} and {attribute}'
score = 1.0
reason = "usage"
mode = "live"
"""
        )
    return "".join(parts)


def bodies(count: int, seed: int = 3, keys: int = 200_000) -> list[bytes]:
    """CloudEvents in JSON, about 570 bytes each, over Zipf-like keys, 40 ms apart."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        key = min(keys, int(draw.paretovariate(0.6)))
        address = f"10.{key >> 16 & 255}.{key >> 8 & 255}.{key & 255}"
        data = {
            "account": f"acc_{key:012d}",
            "org": f"org_{key // 3:012d}",
            "key": f"key_{draw.randint(0, keys):016d}",
            "ip": address,
            "device": f"dev_{draw.randint(0, keys):020d}",
            "card": f"card_{key // 2:012d}",
            "model": draw.choice(("large", "mini", "embed")),
            "status": "ok" if draw.random() < 0.97 else "error",
            "tokens": draw.randint(10, 60_000),
            "cost": round(draw.random() * 0.2, 5),
            "country": draw.choice(("US", "DE", "IN", "BR")),
            "user_agent": "openai-python/1.40 (Linux; x86_64) httpx/0.28",
            "region": "eu-central-1",
        }
        event = {
            "specversion": "1.0",
            "id": f"01HZ{seed:03d}{number:018d}",
            "source": "gateway/eu-central-1",
            "type": "api.request",
            "time": f"{moment(_START + number * 40_000):%Y-%m-%dT%H:%M:%S.%fZ}",
            "datacontenttype": "application/json",
            "data": data,
        }
        found.append(msgspec.json.encode(event))
    return found
