"""Google's servers for the tests: numbered access tokens, and any answer to pushes."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.notifications.providers.conftest import pem
from tests.notifications.providers.server import Asked, Behaviour, Say, Server


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def service_account(url: str, **fields: str) -> str:
    """The text of a key file for which this server issues tokens."""
    usual = {
        "type": "service_account",
        "project_id": "chat-1",
        "private_key_id": "k1",
        "private_key": pem(key()),
        "client_email": "push@chat-1.example.net",
        "token_uri": f"{url}/token",
    }
    return json.dumps(usual | fields)


class Google:
    """Sorts the requests to a server into token requests and pushes."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.pushes: list[Asked] = []
        self.tokens: list[Asked] = []
        self.answer: Callable[[Asked], Behaviour] = lambda asked: Say()
        self.token_answer: Callable[[int], Behaviour] = self.a_token
        server.answer = self._answer

    @staticmethod
    def a_token(number: int, seconds: int = 3_599) -> Say:
        body = {"access_token": f"access-{number}", "expires_in": seconds, "token_type": "Bearer"}
        return Say(body=json.dumps(body).encode())

    def message(self) -> dict[str, Any]:
        """The message of the last push."""
        message = json.loads(self.pushes[-1].body)["message"]
        assert isinstance(message, dict)
        return message

    def _answer(self, asked: Asked) -> Behaviour:
        if asked.path != "/token":
            self.pushes.append(asked)
            return self.answer(asked)
        self.tokens.append(asked)
        number = len(self.tokens)
        form = parse_qs(asked.body.decode(), strict_parsing=True)
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        claims = jwt.decode(
            form["assertion"][0], key().public_key(), algorithms=["RS256"], audience=f"{self.url}/token"
        )
        assert claims["iss"] == "push@chat-1.example.net"
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert time.time() < claims["exp"] <= time.time() + 3_601
        return self.token_answer(number)
