"""Clients that harm: sockets that never read, requests that never end, fragments without end, and a herd."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from time import monotonic

from benchmarks.usage import memory_kib
from tests.campaign.crowd import Crowd
from tests.campaign.stage import Stage

SESSIONS = 20  # per person, the limit of sockets
STUCK = 10.0  # after which the server closes a socket that does not read, unless its limits say otherwise
# Time to make all answers, until the server checks, and until it gives up the close handshake.
SLACK = 5.0
MIB = 1024


async def never_read(stage: Stage, sockets: int) -> None:
    """Let sockets ask for a long history again and again, and never read a byte of it."""
    outsiders = await _outsiders(stage, sockets)
    ports = [process.server.port for process in stage.world.processes]
    opened: list[socket.socket] = []
    timeout = stage.world.limits.get("outbox_stuck_seconds", STUCK) + SLACK

    async def strike() -> None:
        for number, (token, _) in enumerate(outsiders):
            opened.append(await asyncio.to_thread(_deaf_socket, ports[number % len(ports)], token))
        for connection, (_, conversation_id) in zip(opened, outsiders, strict=True):
            command = json.dumps({"type": "sync", "cursors": {conversation_id: 2}})
            for _ in range(4):
                connection.sendall(_frame(0x1, command.encode()))
        await asyncio.sleep(timeout)

    before = _memory(stage)
    grown = await _compare(stage, "sockets that never read", strike, lambda: _memory(stage) - before)
    closed = sum(_was_closed(connection) for connection in opened)
    for connection in opened:
        connection.close()
    if opened:
        stage.book.struck("sockets that never read")
        stage.book.details["sockets that never read"] += len(opened)
    stage.measures.add(
        "sockets that never read: server memory for each", [grown / len(opened) / MIB], unit="MiB", most=1.0
    )
    stage.measures.add(
        f"sockets that never read: not closed after {timeout:g} s", [len(opened) - closed], unit="sockets", most=0
    )


async def slowloris(stage: Stage, connections: int) -> None:
    """Open connections that send a byte of an endless request now and then."""
    ports = [process.server.port for process in stage.world.processes]
    writers: list[asyncio.StreamWriter] = []

    async def strike() -> None:
        for number in range(connections):
            _, writer = await asyncio.open_connection("127.0.0.1", ports[number % len(ports)])
            writer.write(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
            writers.append(writer)
        until = monotonic() + (8 if stage.patient else 2)
        while monotonic() < until:
            for writer in writers:
                writer.write(b"a")
            await asyncio.sleep(0.5)

    await _compare(stage, "slowloris", strike, lambda: 0.0)
    for writer in writers:
        writer.transport.abort()
    stage.book.struck("slowloris")
    stage.book.details["connections of a slowloris"] += len(writers)


async def fragment_flood(stage: Stage, sockets: int) -> None:
    """Send messages in fragments that never end; the server must end them at 64 KiB."""
    tokens = [token for token, _ in await _outsiders(stage, sockets)]
    ports = [process.server.port for process in stage.world.processes]
    closed = 0

    async def one(number: int, token: str) -> None:
        nonlocal closed
        connection = await asyncio.to_thread(_deaf_socket, ports[number % len(ports)], token)
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(connection, _frame(0x1, b'{"type":"', final=False))
            for _ in range(2000):
                await loop.sock_sendall(connection, _frame(0x0, b"a" * 1000, final=False))
                await asyncio.sleep(0.001)
        except OSError:
            closed += 1
        finally:
            connection.close()

    async def strike() -> None:
        await asyncio.gather(*(one(number, token) for number, token in enumerate(tokens)))

    await _compare(stage, "fragment flood", strike, lambda: 0.0)
    if closed:
        stage.book.struck("fragment flood")
    stage.measures.add("fragment flood: not closed after 2 MB", [len(tokens) - closed], unit="sockets", most=0)


async def herd(stage: Stage, clients: int) -> None:
    """Let clients connect and catch up all at once."""
    crowd = Crowd(stage.world, stage.dice, f"herd-{stage.dice.getrandbits(20):x}", pause=1e9)
    try:
        people = -(-clients // SESSIONS)
        await crowd.gather(people, people, people // 4, second_devices=0.0)
        for person in crowd.people:
            held = person.devices[0].holds
            tokens = await asyncio.gather(*(crowd.sign_in(person) for _ in range(1, SESSIONS)))
            for number, token in enumerate(tokens, 1):
                ways = stage.dice.choice(stage.world.networks)
                device = crowd.add_device(person, f"{person.name}/{number}", token, ways)
                device.holds.update({id: each.copy() for id, each in held.items()})
        before = _memory(stage)
        crowd.start_clock()
        begun = monotonic()
        herd_devices = crowd.devices[:clients]
        for device in herd_devices:
            device.line.begin()
        while monotonic() - begun < 90 and not all(device.caught_up.is_set() for device in herd_devices):
            await asyncio.sleep(0.02)
        stage.book.struck("herd")
        stage.book.details["clients that came at once"] += len(herd_devices)
        times = [device.caught_up_at - begun if device.caught_up.is_set() else 90.0 for device in herd_devices]
        stage.measures.add(f"{clients} clients at once: caught up", times, most=60.0)
    finally:
        await crowd.leave()
    await asyncio.sleep(2)
    stage.measures.add(
        f"{clients} clients at once: memory kept afterwards", [(_memory(stage) - before) / MIB], unit="MiB"
    )


async def _compare(
    stage: Stage, name: str, strike: Callable[[], Awaitable[None]], measure: Callable[[], float]
) -> float:
    """Strike, and compare the others' 99th percentile with that of equal spans before and after."""
    async with stage.calm():
        calm_for = 6.0 if stage.patient else 2.0
        first = monotonic()
        await asyncio.sleep(calm_for)
        begun = monotonic()
        await strike()
        ended = monotonic()
        found = measure()
        await asyncio.sleep(calm_for)
        quiet = sorted(stage.waits(first, begun - 0.5) + stage.waits(ended + 0.5, ended + calm_for))
        loud = sorted(stage.waits(begun, ended))
        if quiet and loud:
            ratio = loud[int(0.99 * len(loud))] / quiet[int(0.99 * len(quiet))]
            stage.measures.add(f"{name}: others' p99 against that without", [ratio], unit="times")
    return found


async def _outsiders(stage: Stage, number: int) -> list[tuple[str, str]]:
    """Return tokens of people outside the crowd, each with a conversation of long messages."""
    crowd = Crowd(stage.world, stage.dice, f"strangers-{stage.dice.getrandbits(20):x}", pause=1e9)
    try:
        people = -(-number // SESSIONS)
        await crowd.gather(people + 1, 0, 0, second_devices=0.0)
        found = []
        for person, other in zip(crowd.people, crowd.people[1:], strict=False):
            body: dict[str, object] = {"type": "direct", "participant_ids": [other.id]}
            conversation = await crowd.insist(person.token, "POST", "/conversations", body)
            for count in range(60):
                body = {"conversation_id": conversation["id"], "content": f"{count} " + "long " * 1900}
                await crowd.insist(person.token, "POST", "/messages", body)
            tokens = [person.token, *await asyncio.gather(*(crowd.sign_in(person) for _ in range(SESSIONS - 1)))]
            found += [(token, conversation["id"]) for token in tokens]
        return found[:number]
    finally:
        await crowd.leave()


def _memory(stage: Stage) -> float:
    """Return the memory of all server processes, in KiB."""
    return sum(
        memory_kib(process.server.program.pid, "Rss") for process in stage.world.processes if process.server.running
    )


def _deaf_socket(port: int, token: str) -> socket.socket:
    """Open a socket with the smallest window, and read only the answer to the upgrade."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    connection.sendall(
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1) or b"\r\n\r\n"
    return connection


def _frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    size = len(payload)
    head += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[position % 4] for position, byte in enumerate(payload))


def _was_closed(connection: socket.socket) -> bool:
    """Whether the server ended a connection: what can still be read of it comes to an end."""
    connection.settimeout(0.2)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
