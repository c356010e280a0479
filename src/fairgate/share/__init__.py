"""Fair share: compute is divided between people, not accounts.

share = Share([Pool("large", capacity=20_000)])
answer = share.acquire("acct_1", "large-2", input_tokens=900, max_output=2_000, deadline=30)
match answer:
case Grant(): ...       # use it; answer.charge(output_so_far) while it streams; answer.settle(input, output)
case Queued(): ...      # share.advance() tells what comes of it
case Denied(): ...      # answer.reason, answer.retry_after
"""

from fairgate.share.answers import Answer, Denied, Grant, Queued, Reason
from fairgate.share.pool import Pool
from fairgate.share.share import Share
from fairgate.share.standing import Standing
from fairgate.share.told import Explanation, State
from fairgate.share.usage import Cost, GpuSecondsCost, TokenCost, Usage

__all__ = [
    "Answer",
    "Cost",
    "Denied",
    "Explanation",
    "GpuSecondsCost",
    "Grant",
    "Pool",
    "Queued",
    "Reason",
    "Share",
    "Standing",
    "State",
    "TokenCost",
    "Usage",
]
