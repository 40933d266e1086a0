"""The process of a double: its TLS listeners, and a control channel on a loopback port of its own choice.

Control speaks lines of JSON, one question and one answer per connection. Its port is in the file
`control` of the folder, which appears when the double is ready.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import uvloop

from tests.harness.providers import huffman
from tests.harness.providers.certificates import server_context
from tests.harness.providers.exchange import Exchange, Service
from tests.harness.providers.faults import Fault, Faults
from tests.harness.providers.http1 import Http1
from tests.harness.providers.http2 import Http2, reset
from tests.harness.providers.journal import Journal

Command = Callable[[dict[str, Any]], dict[str, Any]]


class Negotiation(asyncio.Protocol):
    """A connection whose protocol is chosen once TLS has agreed on it."""

    def __init__(self, listeners: "Listeners", listener: int) -> None:
        self._listeners = listeners
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection to the agreed protocol, or reset it if a fault orders so."""
        transport = cast(asyncio.Transport, transport)
        exchange = self._listeners.exchange
        self._listeners.opened += 1
        if exchange.faults.resets_connection():
            reset(transport)
            return
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol() or "http/1.1"
        if chosen not in exchange.service.protocols:
            exchange.journal.complain(f"a client wants {chosen}")
            exchange.journal.flush()
            transport.abort()
            return
        protocol: Http1 | Http2
        if chosen == "h2":
            protocol = Http2(exchange, self._listener, streams=exchange.service.accepted({}))
        else:
            protocol = Http1(exchange, self._listener)
        transport.set_protocol(protocol)
        self._listeners.connections.add(protocol)
        protocol.connection_made(transport)


class Listeners:
    """The listening ports of one double, and the connections to them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.connections: set[Http1 | Http2] = set()
        self.opened = 0

    async def open(self, ports: list[int]) -> None:
        """Listen on these loopback ports."""
        settings, service = self.exchange.service.settings, self.exchange.service
        context = server_context(settings["certificate"], settings["certificate_key"], service.protocols)
        loop = asyncio.get_running_loop()
        for listener, port in enumerate(ports):
            await loop.create_server(
                lambda listener=listener: Negotiation(self, listener),  # type: ignore[misc]
                "127.0.0.1",
                port,
                ssl=context,
                backlog=1024,
            )

    def command(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Execute a command of the test; return the answer."""
        self.connections = {connection for connection in self.connections if not connection.closed}
        match asked.pop("do"):
            case "fails":
                self.exchange.faults.add(Fault(**asked))
            case "works":
                self.exchange.faults.clear()
            case "facts":
                for name, value in asked.items():
                    known = self.exchange.service.facts.get(name)
                    if isinstance(known, dict):
                        known.update(value)
                    else:
                        self.exchange.service.facts[name] = value
            case "goaway":
                for connection in self.connections:
                    connection.go_away()
                    connection.flush()
        return {"opened": self.opened, "open": len(self.connections)}


async def control(folder: Path, command: Command) -> None:
    """Serve the control channel, and write its port into the folder."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            writer.write(json.dumps(command(json.loads(line))).encode() + b"\n")
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**26)
    where = {"pid": os.getpid(), "port": listening.sockets[0].getsockname()[1]}
    begun = folder / "control.begun"
    begun.write_text(json.dumps(where))
    begun.rename(folder / "control")


def run(start: Callable[[], Awaitable[None]]) -> None:
    """Run until the test stops it (SIGTERM)."""

    async def main() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        await start()
        await ended.wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def serve(service: type[Service], folder: Path, ports: list[int]) -> None:
    """Run the double of an HTTP provider until stopped."""

    huffman.install()

    async def start() -> None:
        stored = json.loads((folder / "settings.json").read_text())
        exchange = Exchange(service(stored["settings"], stored["facts"]), Faults(), Journal(folder / "received.jsonl"))
        listeners = Listeners(exchange)
        await listeners.open(ports)
        await control(folder, listeners.command)

    run(start)
