"""How many pushes per second one process sends: `python -m tests.notifications.providers.measure [milliseconds]`.

The server is another process, which answers at once or, like a distant one, after the given delay.
Not a test: the result depends on the machine.
"""

import asyncio
import multiprocessing
import ssl
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import h2.config
import h2.connection
import h2.events
from cryptography.hazmat.primitives.asymmetric import ec

from notifications.providers.apns import ApnsSender
from notifications.providers.push import Accepted
from tests.notifications.providers.certificates import client_tls, make_certificate, server_tls
from tests.notifications.providers.conftest import a_push, pem

SECONDS = 5.0


class Answering(asyncio.Protocol):
    """Answers every request with 200, after the delay."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.http.initiate_connection()
        transport.write(self.http.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                asyncio.get_running_loop().call_later(self.delay, self.answer, event.stream_id)
        self.transport.write(self.http.data_to_send())

    def answer(self, stream: int) -> None:
        self.http.send_headers(stream, [(":status", "200")], end_stream=True)
        self.transport.write(self.http.data_to_send())


def serve(port_to_parent: Connection, certificate: Path, delay: float) -> None:
    async def main() -> None:
        tls = server_tls(certificate)
        tls.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", 0, ssl=tls, backlog=256)
        port_to_parent.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def measure(port: int, tls: ssl.SSLContext, threads: int) -> float:
    """Return the pushes per second with this many threads."""
    key = pem(ec.generate_private_key(ec.SECP256R1()))
    sender = ApnsSender(
        key=key, key_id="K", team_id="T", topic="x", production_url=f"https://localhost:{port}", tls=tls
    )
    push = a_push(title="Ana", body="Shall we meet at eight?", collapse_id="c1", thread_id="c1")

    def run(until: float) -> int:
        sent = 0
        while time.monotonic() < until:
            assert isinstance(sender.send(push), Accepted)
            sent += 1
        return sent

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [time.monotonic() + 1] * threads))  # opens the connections
        began = time.monotonic()
        sent = sum(pool.map(run, [began + SECONDS] * threads))
        took = time.monotonic() - began
    sender.close()
    return sent / took


def main() -> None:
    delay = float(sys.argv[1]) / 1_000 if len(sys.argv) > 1 else 0.0
    processes = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        receiving, sending = processes.Pipe()
        server = processes.Process(target=serve, args=(sending, certificate, delay), daemon=True)
        server.start()
        port = receiving.recv()
        for threads in (1, 16, 32):
            print(f"{threads:3} threads: {measure(port, client_tls(certificate), threads):7.0f} pushes/s")  # noqa: T201
        server.terminate()


if __name__ == "__main__":
    main()
