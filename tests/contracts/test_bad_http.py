"""Raw requests: strange bodies, paths, headers and request lines."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.contracts.bad_input import Somebody, looks_well, raw_http, raw_json, tries, usual_headers

GROUP = "/conversations/{conversation_id}"
pytestmark = pytest.mark.usefixtures("watched")

TEXTS_THAT_ARE_NO_OBJECT = [
    b"",
    b" ",
    b"null",
    b"true",
    b"5",
    b'""',
    b"[]",
    b"{",
    b"{}{}",
    b'{"a":}',
    b"{'a': 1}",
    b'{"content": "x",}',
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b"\x00",
    b'{"content": "\xff\xfe"}',
    b'{"content": "\xed\xa0\x80"}',
    b'{"content": "\\ud800"}',
    b'{"content": "\\u0000"}',
    b'{"content": "a\nb"}',
    b'{"content": NaN}',
    b'{"content": -Infinity}',
    b'{"content": 1e400}',
    b'{"content": ' + b"9" * 10_000 + b"}",
    b'{"content": "x", "content": 5}',
    b'{"content": 5, "content": "x", "content": null}',
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"[" * 100_000,
    b'{"content": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"content": "' + b"x" * 200_000 + b'"}',
    b"\x1f\x8b\x08\x00" + b"\x00" * 20,
]


@pytest.mark.parametrize("text", TEXTS_THAT_ARE_NO_OBJECT, ids=lambda text: ascii(text[:30]))
def test_bodies_that_are_no_object_are_refused(regular: Somebody, text: bytes) -> None:
    for path in ("/messages", GROUP + "/messages", "/auth/login"):
        answer = raw_json(regular, "POST", path, text)
        looks_well(answer)
        assert 400 <= answer.status < 500, answer


@tries(100)
@given(data=st.binary(max_size=300))
@example(data=b'{"conversation_id": 5}')
def test_random_bodies(regular: Somebody, data: bytes) -> None:
    looks_well(raw_json(regular, "POST", "/messages", data))


@pytest.mark.parametrize(
    "kind",
    [
        b"text/plain",
        b"multipart/form-data",
        b"multipart/form-data; boundary=x",
        b"application/x-www-form-urlencoded",
        b"application/json; charset=utf-16",
        b"application/json; charset=no-such-thing",
        b"application/json/json",
        b"\xff",
        b"",
        b"a" * 5_000,
    ],
    ids=lambda kind: ascii(kind[:30]),
)
def test_strange_content_types_cause_no_server_error(regular: Somebody, kind: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="content"\r\n\r\nhi\r\n--x--\r\n'
    looks_well(raw_json(regular, "POST", "/messages", body, kind=kind))


STRANGE_PATHS = [
    b"/api/v1/%00",
    b"/api/v1/%FF%FE",
    b"/api/v1/messages/%00",
    b"/api/v1/messages/00000000-0000-0000-0000-00000000000%00",
    b"/api/v1/messages/" + b"0" * 32,
    b"/api/v1/messages/%2e%2e/%2e%2e/etc/passwd",
    b"/api/v1//messages",
    b"/api/v1/messages/",
    b"//evil.example/%2f..",
    b"/static/../manage.py",
    b"/static/%2e%2e/%2e%2e/manage.py",
    b"/static/%00",
    b"/static/%FF",
    b"/static/" + b"x" * 300,
    b"/static/" + b"x/" * 2_000,
    b"/" + b"%F0%9F%98%80" * 100,
    b"/\xff\xfe",
    b"/api/v1/users/search?q=\xff",
    b"/api/v1/users/search?q=%",
    b"/api/v1/users/search?%00=%00",
    b"/api/v1/users/search?" + b"&".join(b"a%d=1" % number for number in range(1_500)),
    b"/admin/%00",
    b"/admin/login/?next=%00",
    b"/admin/login/?next=//evil.example",
    b"/health?%FF",
    b"/ws",
    b"/ws/%00",
    b"*",
    b"http://evil.example/api/v1/limits",
    b"/api/v1/schema?format=%00",
    b"/api/v1/limits?format=xml",
    b"/?" + b"x" * 30_000,
]


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=lambda path: ascii(path[:40]))
def test_strange_paths_cause_no_server_error(regular: Somebody, path: bytes) -> None:
    looks_well(raw_http(regular, [b"GET " + path + b" HTTP/1.1", *usual_headers(regular)]), json_wanted=False)


STRANGE_HEADERS = [
    b"X-Device-ID: \x00",
    b"X-Device-ID: a\x00b",
    b"X-Device-ID: \xff\xfe",
    b"X-Device-ID: " + b"x" * 5_000,
    b"X-Device-ID: \xf0\x9f\x98\x80",
    b"X-Device-ID: a\r\nX-Device-ID: b",
    b"Authorization: Bearer",
    b"Authorization: Bearer ",
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer \x00",
    b"Authorization: Bearer a b c",
    b"Authorization: bearer " + b"x" * 20_000,
    b"Authorization: Basic Og==",
    b"Authorization: \xff",
    b"Cookie: sessionid=\xff; csrftoken=\xff",
    b"Cookie: sessionid=\x00",
    b"Cookie: sessionid=" + b"x" * 8_000,
    b'Cookie: sessionid="\\000"',
    b"Cookie: sessionid",
    b"Cookie: ;;;=;=x",
    b"Cookie: csrftoken=x; sessionid=../../etc/passwd",
    b"X-CSRFToken: \xff",
    b"Accept: application/xml",
    b"Accept: \xff",
    b"Accept: application/json; version=" + b"x" * 3_000,
    b"Accept-Language: " + b"x-" * 3_000,
    b"Accept-Encoding: \xff",
    b"Origin: \xff",
    b"Referer: \xff",
    b"X-Forwarded-For: \xff, not an address",
    b"X-Forwarded-For: 1.2.3.4:99999999999999",
    b"X-Forwarded-Proto: \xff",
    b"X-Forwarded-Host: \xff",
    b"X-HTTP-Method-Override: DELETE",
    b"Range: bytes=\xff-",
    b"If-None-Match: \xff",
    b"If-Modified-Since: \xff",
    b"If-Modified-Since: Thu, 99 Zzz 9999999999 00:00:00 GMT",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"X: " + b"x" * 100_000,
    b"\r\n".join(b"X-%d: y" % number for number in range(2_000)),
    b"\xff\xff: y",
    b"no colon",
]


@pytest.mark.parametrize("header", STRANGE_HEADERS, ids=lambda header: ascii(header[:40]))
def test_strange_headers_cause_no_server_error(regular: Somebody, header: bytes) -> None:
    login = json.dumps({"username": "nobody", "password": "x"}).encode()
    about_body = [b"Content-Type: application/json", b"Content-Length: %d" % len(login), header]
    usual = usual_headers(regular)
    if header.startswith((b"Authorization", b"Cookie")):
        usual = usual[:-1]
    looks_well(raw_http(regular, [b"POST /api/v1/auth/login HTTP/1.1", *usual, *about_body], login), json_wanted=False)
    for path in (b"/api/v1/users/me", b"/", b"/static/js/main.js", b"/admin/"):
        looks_well(raw_http(regular, [b"GET " + path + b" HTTP/1.1", *usual, header]), json_wanted=False)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /api/v1/limits HTTP/9.9",
        b"GET /api/v1/limits",
        b"get /api/v1/limits HTTP/1.1",
        b"\xff\xff /api/v1/limits HTTP/1.1",
        b"PROPFIND /api/v1/messages HTTP/1.1",
        b"TRACE /api/v1/messages HTTP/1.1",
        b"CONNECT /api/v1/messages HTTP/1.1",
        b"OPTIONS /api/v1/messages HTTP/1.1",
        b"HEAD /api/v1/users/me HTTP/1.1",
        b"HEAD /api/v1/messages HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0",
        b"\x00" * 100,
    ],
    ids=ascii,
)
def test_strange_request_lines_cause_no_server_error(regular: Somebody, line: bytes) -> None:
    looks_well(raw_http(regular, [line, *usual_headers(regular)]), json_wanted=False)


@pytest.mark.parametrize("host", [b"", b"evil.example", b"\xff", b"127.0.0.1:99999", b"[::1", b"a b", b"127.0.0.1\x00"])
def test_unknown_hosts_are_refused(regular: Somebody, host: bytes) -> None:
    request = [b"GET /api/v1/limits HTTP/1.1", b"Host: " + host, b"Connection: close"]
    answer = raw_http(regular, request)
    looks_well(answer, json_wanted=False)
    assert host in (b"127.0.0.1:99999",) or answer.status in (0, 400), answer


def test_a_body_of_six_megabytes_is_refused(regular: Somebody) -> None:
    answer = raw_json(regular, "POST", "/messages", b'{"content": "' + b"x" * 6_000_000 + b'"}')
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "too_large")
