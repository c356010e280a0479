"""How a letter is sent: by HTTP, signed, to the receiver's address and nowhere else."""

import asyncio

import httpx

from fairgate import __version__
from fairgate.domain.windows import SECOND
from fairgate.entrypoints.clerk.lane import Refused
from fairgate.entrypoints.signing import Signer
from fairgate.ports.clock import Clock
from fairgate.ports.outbox import Letter
from fairgate.settings import WebhookSettings

#: Bytes of an answer that are read, so that the connection can be used again; of a longer one it is closed.
_MOST_READ = 64 << 10
#: Characters of an answer that are kept of why a letter was not taken.
_MOST_WHY = 200
_DIGITS = 6


class Post:
    """Sends letters to one receiver."""

    def __init__(self, settings: WebhookSettings, signer: Signer, clock: Clock) -> None:
        self._settings = settings
        self._signer = signer
        self._clock = clock
        limits = httpx.Limits(max_connections=settings.at_once, max_keepalive_connections=settings.at_once)
        agent = {"user-agent": f"fairgate/{__version__}"}
        # No proxy from the environment, and no redirects: what is signed goes where the settings say.
        self._client = httpx.AsyncClient(
            limits=limits, timeout=settings.timeout_seconds, trust_env=False, headers=agent
        )

    async def send(self, letter: Letter) -> None:
        """Send a letter. Raises `Refused` where it was not taken in time."""
        headers = self._signer.headers(letter.message, self._clock.now() // SECOND, letter.body)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                async with self._client.stream(
                    "POST", self._settings.url, content=letter.body, headers=dict(headers)
                ) as answer:
                    text = await _beginning(answer)
        except TimeoutError:
            raise Refused(f"no answer within {self._settings.timeout_seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refused(f"{type(error).__name__}: {error}"[:_MOST_WHY]) from error
        if not answer.is_success:
            raise Refused(f"status {answer.status_code}: {text}"[:_MOST_WHY], _after(answer))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _beginning(answer: httpx.Response) -> str:
    """The beginning of an answer, printable."""
    read = b""
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) > _MOST_READ:
            break
    text = read[: 4 * _MOST_WHY].decode(errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _after(answer: httpx.Response) -> float:
    """The seconds that a receiver asks to be left alone."""
    after = answer.headers.get("retry-after", "")
    return float(after) if after.isascii() and after.isdigit() and len(after) <= _DIGITS else 0.0
