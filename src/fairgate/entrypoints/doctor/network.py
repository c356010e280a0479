"""Who can reach the service: its ports, its certificate, its API keys."""

import errno
import http.client
import json
import socket
import ssl
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from fairgate.domain.access import ApiKey
from fairgate.domain.event import moment
from fairgate.domain.windows import DAY
from fairgate.entrypoints.access import is_loopback
from fairgate.entrypoints.doctor.finding import Finding, Installation, bad, ok, warn
from fairgate.entrypoints.door_client import reached
from fairgate.wiring import open_keys

_SECONDS = 3
#: A certificate or a key that ends so soon is to be renewed.
_SOON = 30 * DAY
_HTTP_OK = 200


def door(at: Installation) -> Finding:
    """Whether the door answers, and whether something else has its port."""
    settings = at.settings.door
    where, said = _asked(settings.host, settings.port, tls=settings.tls_cert is not None)
    writer = _writer(at.settings.data / "log" / "lock")
    match said:
        case "ready":
            return ok(f"it answers at {where} and is ready")
        case None if writer:
            words = f"process {writer} has the log open, and nothing answers at {where}"
            return bad(words, "Is it starting, or was it started with another address? Its log says.")
        case None:
            return ok(f"none is running, and {where} is free")
        case "":
            return bad(f"something that is not Fairgate answers at {where}", "Stop it, or choose another door.port.")
        case _:
            return bad(
                f"it answers at {where}, but is not ready: {said}", "Its log says why; see docs/how-to/recovering.md."
            )


def desk(at: Installation) -> Finding:
    """Whether the desk answers, where there is to be one."""
    settings = at.settings.desk
    if not settings.enabled:
        return ok("it is switched off")
    where, said = _asked(settings.host, settings.port, tls=False)
    running = _writer(at.settings.data / "log" / "lock")
    if said is None:
        if running:
            return warn(f"nothing answers at {where}", "The door starts it again by itself; the log says why it ended.")
        return ok(f"none is running, and {where} is free")
    if said == "":
        return bad(f"something that is not Fairgate answers at {where}", "Stop it, or choose another desk.port.")
    return ok(f"it answers at {where}: {said}")


def tls(at: Installation) -> Finding:
    """Whether certificate and key can be read, fit each other, and go on for a month."""
    cert, key = at.settings.door.tls_cert, at.settings.door.tls_key
    if cert is None or key is None:
        if is_loopback(at.settings.door.host):
            return ok("off, and the door is open to this machine alone")
        return warn(
            f"off, while the door listens at {at.settings.door.host}", "Set door.tls_cert, or put a proxy before it."
        )
    for path in (cert, key):
        path.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        return bad(
            f"{cert} and {key} can't be used together: {error.reason or error}", "Use the key the certificate is for."
        )
    return _certificate(cert, at.now)


def api_keys(at: Installation) -> Finding:
    """Whether callers need a key, and which keys end soon or were never used."""
    hosts = [at.settings.door.host, *([at.settings.desk.host] if at.settings.desk.enabled else [])]
    beyond = [host for host in hosts if not is_loopback(host)]
    make = "Make one: fairgate keys create --scope decide --name ..."
    keys: list[ApiKey] = []
    if (at.settings.data / "keys.db").exists():
        with open_keys(at.settings) as opened:
            keys = opened.all()
    active = [key for key in keys if key.state(at.now) == "active"]
    if not active:
        if beyond:
            return bad(f"none is active, while {beyond[0]} is open to other machines", make)
        if keys:
            return bad("none is active, so nobody may ask", make)
        return warn("none was made: everyone on this machine may ask", make)
    ending = [key.id for key in active if key.expires is not None and key.expires - at.now < _SOON]
    if ending:
        return warn(
            f"{', '.join(ending)} will end within 30 days", "fairgate keys rotate ID, and give the new one out."
        )
    unused = [key.id for key in active if key.last_used is None and at.now - key.created > _SOON]
    if unused:
        return warn(
            f"{', '.join(unused)} was never used, for over 30 days", "fairgate keys revoke ID, unless it's needed."
        )
    return ok(f"{len(active)} active")


def _certificate(path: Path, now: int) -> Finding:
    first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    left = first.not_valid_after_utc - moment(now)
    words = f"the certificate is valid until {first.not_valid_after_utc:%Y-%m-%d}"
    renew = f"Renew it, put it at {path}, and restart the door."
    if left < timedelta(0):
        return bad(f"the certificate ended on {first.not_valid_after_utc:%Y-%m-%d}", renew)
    if left < timedelta(microseconds=_SOON):
        return warn(words, renew)
    return ok(words)


def _asked(host: str, port: int, *, tls: bool) -> tuple[str, str | None]:
    """Where it was asked, and what it says of itself; "" where that is not Fairgate, None where nothing listens."""
    where = f"{host}, port {port}"
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - asks for a sign of life, and sends nothing
    asking = (
        http.client.HTTPSConnection(reached(host), port, timeout=_SECONDS, context=context)
        if tls
        else http.client.HTTPConnection(reached(host), port, timeout=_SECONDS)
    )
    with closing(asking):
        try:
            asking.request("GET", "/readyz")
            answer = asking.getresponse()
            said = json.loads(answer.read())
            return where, str(said["status"] if answer.status == _HTTP_OK else said["error"]["reason"])
        except (ConnectionRefusedError, socket.gaierror):
            return where, None
        except OSError as error:
            if error.errno in {errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH}:
                return where, None
            return where, ""
        except (http.client.HTTPException, ValueError, KeyError, TypeError):
            return where, ""


def _writer(lock: Path) -> str:
    """The process that has a log open for writing, as the system knows it; empty where none has."""
    table = Path("/proc/locks")
    if not lock.exists() or not table.exists():
        return ""
    inode = str(lock.stat().st_ino)
    held = [line.split() for line in table.read_text("ascii").splitlines()]
    return next((each[4] for each in held if each[1] == "FLOCK" and each[5].endswith(f":{inode}")), "")
