"""The double of Google's service gives access and refuses what Google refuses. Its faults: test_provider_faults."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.harness.http2_client import Http2Client
from tests.harness.providers.fcm import OAUTH, Fcm
from tests.waiting import DEADLINE

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@pytest.fixture(scope="module")
def running() -> Iterator[Fcm]:
    with Fcm() as double:
        yield double


@pytest.fixture
def fcm(running: Fcm) -> Iterator[Fcm]:
    running.forget()
    yield running
    running.works()
    running.access_tokens()


def post(fcm: Fcm, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, http.client.HTTPMessage]:
    context = ssl.create_default_context(cafile=str(fcm.ca_file))
    connection = http.client.HTTPSConnection("127.0.0.1", fcm.port, timeout=DEADLINE, context=context)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def ask_access(
    fcm: Fcm, *, grant: str = GRANT, key: str = "", kid: str = "", live: int = 3600, **changed: Any
) -> tuple[int, Any]:
    account = json.loads(fcm.settings()["service_account"])
    claims = {"iss": account["client_email"], "scope": SCOPE, "aud": account["token_uri"]}
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + live} | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": kid or account["private_key_id"]}
    assertion = jwt.encode(claims, key or account["private_key"], "RS256", headers)
    form = urlencode({"grant_type": grant, "assertion": assertion}).encode()
    status, said, _ = post(fcm, "/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
    return status, said


def access(fcm: Fcm) -> str:
    return ask_access(fcm)[1]["access_token"]


def send(fcm: Fcm, message: Any, *, token: str | None = None, project: str = "", **top: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token if token is not None else access(fcm)}"}
    path = f"/v1/projects/{project or fcm.settings()['project_id']}/messages:send"
    status, said, _ = post(fcm, path, json.dumps({"message": message} | top).encode(), headers)
    return status, said


def error_code(said: Any) -> str:
    [detail] = said["error"]["details"]
    assert detail["@type"] == "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    return detail["errorCode"]


def message(fcm: Fcm, **more: Any) -> dict[str, Any]:
    return {"token": fcm.device(), "data": {"message_id": "7"}} | more


def test_a_message_is_accepted_and_recorded(fcm: Fcm) -> None:
    notification = {"title": "New message", "tag": "7", "notification_count": 3}
    android = {"priority": "HIGH", "ttl": "86400s", "collapse_key": "c", "notification": notification}
    sent = message(fcm, android=android)
    status, said = send(fcm, sent)
    assert status == 200
    assert said["name"].startswith(f"projects/{fcm.settings()['project_id']}/messages/")
    [record] = fcm.pushes()
    assert (record.token, record.payload, record.id) == (sent["token"], {"message": sent}, said["name"])
    assert (record.status, record.delivered, record.reason) == (200, True, "")
    assert len(fcm.access_requests()) == 1


def test_it_speaks_http2_as_well(fcm: Fcm) -> None:
    connection = Http2Client(fcm.port, fcm.ca_file)
    path = f"/v1/projects/{fcm.settings()['project_id']}/messages:send"
    body = json.dumps({"message": message(fcm)}).encode()
    answer = connection.ask(path, {"authorization": f"Bearer {access(fcm)}"}, body)
    assert (answer.status, connection.allowed_streams) == (200, 1000)
    connection.close()


def test_access_is_given_for_a_while(fcm: Fcm) -> None:
    status, said = ask_access(fcm)
    assert (status, said["token_type"], said["expires_in"]) == (200, "Bearer", 3599)
    assert send(fcm, message(fcm), token=access(fcm))[0] == 200
    fcm.access_tokens(live=-1)
    status, refused = send(fcm, message(fcm), token=access(fcm))
    assert (status, refused["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert refused["error"]["details"][0]["reason"] == "ACCESS_TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant": "password"}, "unsupported_grant_type"),
        ({"iss": "somebody@example.org"}, "invalid_grant"),
        ({"aud": "https://oauth2.googleapis.com/token"}, "invalid_grant"),
        ({"live": -60}, "invalid_grant"),
        ({"live": 4000}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"kid": "another"}, "invalid_grant"),
    ],
)
def test_assertions_that_give_no_access(fcm: Fcm, changed: dict[str, Any], error: str) -> None:
    status, said = ask_access(fcm, **changed)
    assert (status, said["error"]) == (400, error)
    assert fcm.access_requests()[-1].reason == error


def test_an_assertion_of_another_key_gives_no_access(fcm: Fcm) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert ask_access(fcm, key=other.decode())[1]["error"] == "invalid_grant"


@pytest.mark.parametrize("token", ["", "nonsense", "ya29.99999999999999.0.forged"])
def test_wrong_access_tokens(fcm: Fcm, token: str) -> None:
    status, said = send(fcm, message(fcm), token=token)
    assert (status, said["error"]["status"], fcm.pushes()[-1].delivered) == (401, "UNAUTHENTICATED", False)


def test_access_survives_a_restart_but_not_a_revocation(fcm: Fcm) -> None:
    token = access(fcm)
    fcm.kill()
    fcm.start()
    assert send(fcm, message(fcm), token=token)[0] == 200
    fcm.revoke_access_tokens()
    assert send(fcm, message(fcm), token=token)[0] == 401
    assert send(fcm, message(fcm))[0] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {"sequence": 7}},
        {"data": {"google.id": "7"}},
        {"data": {"from": "7"}},
        {"data": []},
        {"android": {"priority": "URGENT"}},
        {"android": {"ttl": 86400}},
        {"android": {"ttl": "86400"}},
        {"android": {"ttl": "2419201s"}},
        {"android": {"notification": {"tag": 7}}},
        {"android": {"notification": {"notification_count": "7"}}},
        {"android": {"colapse_key": "c"}},
        {"notification": {"badge": "7"}},
        {"data": {"body": "x" * 4096}},
        {"topic": "news"},
        {"token": "not a token"},
        {"token": ""},
        {"unknown": 1},
    ],
)
def test_wrong_messages(fcm: Fcm, wrong: dict[str, Any]) -> None:
    status, said = send(fcm, message(fcm, **wrong))
    assert (status, said["error"]["status"], error_code(said)) == (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert fcm.pushes()[-1].reason == "INVALID_ARGUMENT"


def test_names_may_be_in_camel_case(fcm: Fcm) -> None:
    android = {"collapseKey": "c", "priority": "normal", "notification": {"notificationCount": 1}}
    assert send(fcm, message(fcm, android=android))[0] == 200


def test_a_dry_run_reaches_nobody(fcm: Fcm) -> None:
    assert send(fcm, message(fcm), validate_only=True)[0] == 200
    assert fcm.delivered() == []


def test_tokens_of_devices(fcm: Fcm) -> None:
    sent = message(fcm)
    fcm.gone(sent["token"])
    status, said = send(fcm, sent)
    assert (status, said["error"]["status"], error_code(said)) == (404, "NOT_FOUND", "UNREGISTERED")
    fcm.back(sent["token"])
    assert send(fcm, sent)[0] == 200
    fcm.of_another_sender(sent["token"])
    status, said = send(fcm, sent)
    assert (status, said["error"]["status"], error_code(said)) == (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")


def test_another_project_is_denied(fcm: Fcm) -> None:
    status, said = send(fcm, message(fcm), project="another")
    assert (status, said["error"]["status"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), (503, "UNAVAILABLE", "UNAVAILABLE"), (500, "INTERNAL", "INTERNAL")],
)
def test_failures_have_googles_form(fcm: Fcm, status: int, name: str, code: str) -> None:
    token = access(fcm)
    fcm.fails(status, retry_after=7)
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/projects/{fcm.settings()['project_id']}/messages:send"
    answered, said, found = post(fcm, path, json.dumps({"message": message(fcm)}).encode(), headers)
    assert (answered, said["error"]["status"], error_code(said)) == (status, name, code)
    assert found["Retry-After"] == "7"


def test_each_endpoint_fails_alone(fcm: Fcm) -> None:
    fcm.fails(503)
    assert send(fcm, message(fcm))[0] == 503
    fcm.works()
    token = access(fcm)
    fcm.fails(503, token=OAUTH)
    assert ask_access(fcm)[0] == 503
    assert send(fcm, message(fcm), token=token)[0] == 200
