"""The docs match the code: routes, frames, codes, limits and variables are described, and every example is valid."""

import ast
import asyncio
import dataclasses
import json
import os
import re
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import get_commands

from chatsite.configuration.limits import Limits
from chatsite.configuration.secret import kept_secret, kept_vapid_key
from conversations.frames import ConversationBody
from realtime.registry import registry
from realtime.socket import consumer  # noqa: F401 - registers the socket's own commands and frames
from realtime.socket.commands import decode_command
from realtime.wire.bodies import encode
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import STATUS_OF_CODE
from tests.contracts.routes import Route, api_routes, patterns
from tests.harness.device import PASSWORD, Device
from tests.harness.people import People
from tests.harness.product import PROJECT
from tests.harness.servers import Site
from tests.waiting import DEADLINE

DOCS = PROJECT / "docs"
BENCHMARKS = PROJECT / "benchmarks"
PAGES = [
    PROJECT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    BENCHMARKS / "peers" / "README.md",
    *sorted((BENCHMARKS / "history").glob("*.md")),
]
APPS = ("realtime", "accounts", "conversations", "messaging", "presence", "notifications", "chatsite")
# Set by the server itself, not by an operator.
INTERNAL = {"CHATSITE_ROLE", "DJANGO_SETTINGS_MODULE"}


def page(name: str) -> str:
    return (DOCS / name).read_text()


# --- Names in the protocol page ---------------------------------------------------------


@pytest.mark.parametrize("route", api_routes(), ids=str)
def test_every_route_is_described(route: Route) -> None:
    assert f"`{route.method} {route.path.removeprefix('/api/v1')}`" in page("protocol.md")


def test_every_address_outside_the_api_is_named() -> None:
    outside = {path for path, _ in patterns() if not path.startswith(("api/v1/", "admin/"))}
    missing = [f"/{path}" for path in sorted(outside) if f"/{path}`" not in page("protocol.md")]
    assert not missing


def test_every_command_and_frame_is_described() -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", page("protocol.md"), re.MULTILINE))
    assert not sorted({*registry.commands, *registry.frames} - described)


@pytest.mark.parametrize(("code", "status"), sorted(STATUS_OF_CODE.items()))
def test_every_error_code_is_described(code: str, status: int) -> None:
    assert f"| `{code}` | {status} |" in page("protocol.md")


def test_every_close_code_is_described_with_its_meaning_and_advice() -> None:
    described: dict[int, tuple[str, str]] = {}
    advice = ""
    for code, meaning, cell in re.findall(r"^\| (\d{4}) \| (.+) \| (.+) \|$", page("protocol.md"), re.MULTILINE):
        advice = advice if cell == "the same" else _plain(cell)
        described[int(code)] = (_plain(meaning), advice)
    assert described == {code.value: (code.meaning, code.advice) for code in CloseCode}


def _plain(markdown: str) -> str:
    """Return the text without links and emphasis."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", markdown).replace("**", "")


def test_every_limit_is_described_with_its_default() -> None:
    described = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page("protocol.md"), re.MULTILINE))
    defaults = {field.name: f"{field.default:g}" for field in dataclasses.fields(Limits)}
    assert {name: f"{float(described.get(name, 'nan')):g}" for name in defaults} == defaults


# --- Examples in the protocol page ---------------------------------------------------------------------------


def _blocks() -> list[str]:
    return re.findall(r"^```json\n(.*?)^```$", page("protocol.md"), re.MULTILINE | re.DOTALL)


def _examples() -> list[dict[str, Any]]:
    return [example for block in _blocks() for example in _objects(block)]


def _objects(block: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a block, which follow one another."""
    found, rest = [], block.strip()
    while rest:
        example, end = json.JSONDecoder().raw_decode(rest)
        found.append(example)
        rest = rest[end:].lstrip()
    return found


def test_examples_are_indented_by_two_spaces() -> None:
    for block in _blocks():
        assert block == "".join(f"{json.dumps(example, indent=2)}\n" for example in _objects(block))


@pytest.mark.parametrize("example", [each for each in _examples() if "type" in each], ids=lambda each: each["type"])
def test_every_example_is_what_the_code_accepts_or_sends(example: dict[str, Any]) -> None:
    kind = example["type"]
    if kind in ("direct", "group"):  # a conversation's body
        assert _as_encoded(example, ConversationBody) == example
    elif kind in registry.frames and (kind not in registry.commands or "user_id" in example):
        assert _as_encoded(example, registry.frames[kind]) == example
    else:
        decode_command(json.dumps(example))


def _as_encoded(example: dict[str, Any], kind: type[msgspec.Struct]) -> Any:
    return json.loads(encode(msgspec.convert(example, kind)))


def test_every_command_and_frame_has_an_example() -> None:
    shown = {example.get("type") for example in _examples()}
    assert {*registry.commands, *registry.frames} - shown <= {
        "conversation_updated"
    }  # its body is that of conversation_created


def test_the_examples_of_the_checksum_are_right() -> None:
    text = page("protocol.md")
    sums = {line: int(crc) for line, crc in re.findall(r"^\| `([0-9a-f-]{36}:\d+)` \| (\d+) \|$", text, re.MULTILINE)}
    assert len(sums) == 4
    assert sums == {line: zlib.crc32(line.encode()) for line in sums}
    _, second, third, fourth = sums.values()
    assert f"| 2 | {(second + third) % 2**32} |" in text
    assert f"| 3 | {(second + third + fourth) % 2**32} |" in text


# --- Names in the operations page --------------------------------------------------------


def _variables() -> Iterator[str]:
    """Yield the name of every environment variable that the product reads."""
    for app in APPS:
        for path in (PROJECT / app).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and ast.unparse(call.func) in (
                    "env.str", "env.bool", "env.int", "env.list", "env.float", "os.environ.get", "os.getenv",
                ):  # fmt: skip
                    yield ast.literal_eval(call.args[0])


def test_every_variable_is_described() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", page("operations.md"), re.MULTILINE))
    assert set(_variables()) - INTERNAL == described


def test_every_management_command_is_described() -> None:
    ours = {name for name, app in get_commands().items() if app in APPS}
    assert not sorted(name for name in ours if f"`manage.py {name}" not in page("operations.md"))


# --- Form of the pages -----------------------------------------------------------------------


def test_every_key_kept_in_a_file_is_in_the_backup_section(tmp_path: Path) -> None:
    kept_secret(tmp_path)
    kept_vapid_key(tmp_path)
    backup = (DOCS / "operations.md").read_text().partition("\n## Backup")[2].partition("\n## ")[0]
    assert [path.name for path in tmp_path.iterdir() if f"`var/{path.name}`" not in backup] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if target.startswith(("https://", "http://")):
            continue
        there = path if not file else (path.parent / file).resolve()
        assert there.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in _anchors(there.read_text()), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_named_file_of_the_code_exists(path: Path) -> None:
    if BENCHMARKS in path.parents:
        return  # history: it names the files of its time
    named = set(re.findall(r"`((?:\w+/)+\w+\.(?:py|js|mjs|html))(?:::[^`]*)?`", path.read_text()))
    roots = (PROJECT, PROJECT / "tests", PROJECT / "static" / "js", *(PROJECT / app for app in APPS))
    assert not sorted(name for name in named if not any((root / name).exists() for root in roots))


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_context_decision_and_cost(path: Path) -> None:
    headings = re.findall(r"^## (\w+)", path.read_text(), re.MULTILINE)
    assert headings == ["Context", "Decision", "Cost"]


# --- The example client -----------------------------------------------------------------------


@asynccontextmanager
async def _example_client(person: Device, conversation: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        DOCS / "examples" / "client.py",
        person.server.http,
        person.username,
        PASSWORD,
        conversation["id"],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
    )
    try:
        yield client
    finally:
        if client.returncode is None:
            client.kill()
        await client.wait()


async def _prints(client: asyncio.subprocess.Process, words: str) -> None:
    assert client.stdout is not None
    async with asyncio.timeout(DEADLINE):
        while words not in (line := (await client.stdout.readline()).decode()):
            assert line, f"the example client ended without printing {words!r}"


async def _writes(client: asyncio.subprocess.Process, words: str) -> None:
    assert client.stdin is not None
    client.stdin.write(f"{words}\n".encode())
    await client.stdin.drain()


async def test_the_example_client_sends_and_receives(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ben.talks_to(ana)
        await ana.disconnects()
        async with _example_client(ana, conversation) as client:
            await _writes(client, "Hello from the example")
            heard = await ben.receives("new_message", content="Hello from the example")
            assert heard["message"]["sender_user_id"] == ana.id
            await _prints(client, "Hello from the example")
            ack = await ben.sends("Hello, example", to=conversation)
            await _prints(client, "Hello, example")
            await ben.receives("message_delivered", user=ana.id, up_to_sequence=ack["sequence"])


async def test_the_example_client_reconnects_and_sends_what_it_kept(starts_site: Callable[..., Site]) -> None:
    site = starts_site("embedded")
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ben.talks_to(ana)
        async with _example_client(ana, conversation) as client:
            await ben.sends("Before", to=conversation)
            await _prints(client, "Before")
            site.servers[0].kill()
            await _writes(client, "While nobody was there")
            site.servers[0].start()
            await ben.connects()
            await ben.sends("After", to=conversation)
            await _prints(client, "After")
            # The client may have reconnected before ben, who then missed the message that it had kept.
            await ben.asks("sync", cursors={conversation["id"]: 2})
            await ben.receives("new_message", content="While nobody was there")
            history = [message["content"] for message in await ben.history(conversation)]
            assert sorted(history) == ["After", "Before", "While nobody was there"]


async def test_the_example_client_ends_when_its_session_is_revoked(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ben.talks_to(ana)
        async with _example_client(ana, conversation) as client:
            await _writes(client, "I am here")
            await ben.receives("new_message", content="I am here")
            sessions = (await ana.gets("/auth/sessions"))["results"]
            (its,) = [each["id"] for each in sessions if not each["current"]]
            await ana.deletes(f"/auth/sessions/{its}")
            assert client.stdin is not None
            client.stdin.close()
            await _prints(client, "session revoked")
            assert await client.wait() == 0
