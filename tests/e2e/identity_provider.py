"""A provider of identities on a free port: discovery, keys, and the code flow with PKCE. It can be told to cheat."""

import base64
import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "fairgate desk", "a secret: of/the client"
BACK = "http://127.0.0.1:8081/v1/session/oidc/callback"


class Provider:
    """Logs everybody in as `claims` say. `cheats` are claims of its tokens, `key` and `alg` what signs them."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.claims: dict[str, Any] = {"sub": "1", "email": "ann@example.com", "email_verified": True}
        self.cheats: dict[str, Any] = {}
        self.own = RSAKey.generate_key(2048, {"kid": "1"})
        self.key = self.own
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "1"}
        self.issuer, self.calls_itself = "", ""
        self.codes: dict[str, dict[str, str]] = {}
        self.tampers = False

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, BACK)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{BACK}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """What a code is changed for, once."""
        asked = self.codes.pop(form.get("code", ""), None)
        who, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != BACK:
            return 400, {"error": "invalid_grant"}
        if (unquote(who), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        own = {"iss": self.issuer, "aud": CLIENT, "iat": self.now, "exp": self.now + 300, "nonce": asked["nonce"]}
        claims = {name: value for name, value in {**own, **self.claims, **self.cheats}.items() if value is not None}
        token = self._signed(claims)
        if self.tampers:
            head, body, mac = token.split(".")
            other = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "2"}
            token = f"{head}.{_part(json.dumps(other).encode())}.{mac}"
        return 200, {"id_token": token, "access_token": "at", "token_type": "Bearer"}

    def _signed(self, claims: dict[str, Any]) -> str:
        """A token; by hand where a library would refuse to make it."""
        if self.header["alg"] == "RS256":
            return jwt.encode(self.header, claims, self.key)
        said = f"{_part(json.dumps(self.header).encode())}.{_part(json.dumps(claims).encode())}"
        if self.header["alg"] == "none":
            return f"{said}."
        return f"{said}.{_part(hmac.digest(self.own.as_pem(private=False), said.encode(), 'sha256'))}"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Serve."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.issuer = self.calls_itself = f"http://127.0.0.1:{server.server_address[1]}/realm"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _handler_of(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = urlsplit(self.path)
            if at.path == "/realm/.well-known/openid-configuration":
                places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                self.say(
                    200,
                    {name: f"{provider.issuer}/{place}" for name, place in places.items()}
                    | {"issuer": provider.calls_itself},
                )
            elif at.path == "/realm/keys":
                self.say(200, {"keys": [provider.own.as_dict(private=False)]})
            else:
                asked = {name: values[0] for name, values in parse_qs(at.query).items()}
                self.send_response(302)
                self.send_header("location", provider.authorize(asked))
                self.send_header("content-length", "0")
                self.end_headers()

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            first = {name: values[0] for name, values in form.items()}
            self.say(*provider.token(first, self.headers.get("authorization", "")))

        def say(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
