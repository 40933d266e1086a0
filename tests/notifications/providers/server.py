"""A small HTTPS server on loopback with a thread for each connection. It answers, or misbehaves as a test demands."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


@dataclass
class Asked:
    """A request as received."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # 0 for the first that was made
    stream: int


@dataclass
class Say:
    """An answer. `leaving`: send GOAWAY before it, with this last stream. `then_close`: end the connection after it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    leaving: int | None = None
    then_close: bool = False


@dataclass
class GoAway:
    """No answer: send GOAWAY, then end the connection."""

    last: int
    code: int = 0


@dataclass
class Reset:
    """No answer: the stream is reset with this code."""

    code: int


class Hang:
    """No answer, ever."""


class Close:
    """No answer: the connection ends."""


@dataclass
class Drip:
    """Send frames that answer nothing, one every `seconds`."""

    seconds: float
    frame: bytes = b"\x00\x00\x08\x06" + bytes(5) + b"12345678"  # PING


Behaviour = Say | GoAway | Reset | Hang | Close | Drip


class Server:
    """Listens until `stop`. `answer` decides about each request; with `http1` it speaks HTTP/1.1."""

    def __init__(self, tls: ssl.SSLContext, *, http1: bool = False, most_streams: int = 100) -> None:
        tls.set_alpn_protocols(["http/1.1"] if http1 else ["h2"])
        self._tls = tls
        self._http1 = http1
        self._most_streams = most_streams
        self.answer: Callable[[Asked], Behaviour] = lambda asked: Say()
        self.asked: list[Asked] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def open(self) -> int:
        with self._lock:
            return len(self._sockets)

    def stop(self) -> None:
        self._stopped.set()
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)  # otherwise the thread in `accept` takes one more connection
            self._listener.close()
        self.drop()

    def drop(self) -> None:
        """End all connections, as a restart does."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                number = self.connections
                self.connections += 1
            threading.Thread(target=self._serve, args=(raw, number), daemon=True).start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = self._tls.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return
        with self._lock:
            self._sockets.append(wrapped)
        try:
            (self._speak_http1 if self._http1 else self._speak_http2)(wrapped, number)
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            with self._lock:
                if wrapped in self._sockets:
                    self._sockets.remove(wrapped)
            wrapped.close()

    def _decide(self, asked: Asked) -> Behaviour:
        with self._lock:
            self.asked.append(asked)
        return self.answer(asked)

    def _speak_http2(self, wrapped: ssl.SSLSocket, number: int) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self._most_streams})
        connection.initiate_connection()
        wrapped.sendall(connection.data_to_send())
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        while data := wrapped.recv(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""  # type: ignore[arg-type]
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    head = heads.pop(event.stream_id)
                    asked = Asked(head[":path"], head, bodies.pop(event.stream_id), number, event.stream_id)
                    if not self._do(self._decide(asked), wrapped, connection, event.stream_id):
                        return
            if out := connection.data_to_send():
                wrapped.sendall(out)

    def _do(
        self, behaviour: Behaviour, wrapped: ssl.SSLSocket, connection: h2.connection.H2Connection, stream: int
    ) -> bool:
        """Act on the behaviour; return whether the connection goes on."""
        match behaviour:
            case Say():
                if behaviour.leaving is not None:
                    wrapped.sendall(connection.data_to_send() + goaway(behaviour.leaving))
                connection.send_headers(stream, [(":status", str(behaviour.status)), *behaviour.headers.items()])
                for start in range(0, len(behaviour.body), 16_384):
                    if connection.local_flow_control_window(stream) < 16_384:
                        break
                    connection.send_data(stream, behaviour.body[start : start + 16_384])
                connection.end_stream(stream)
                wrapped.sendall(connection.data_to_send())
                return not behaviour.then_close
            case GoAway():
                wrapped.sendall(connection.data_to_send() + goaway(behaviour.last, behaviour.code))
                return False
            case Reset():
                connection.reset_stream(stream, behaviour.code)
            case Close():
                return False
            case Drip():
                while not self._stopped.wait(behaviour.seconds):
                    wrapped.sendall(behaviour.frame)
            case Hang():
                self._stopped.wait()
        return True

    def _speak_http1(self, wrapped: ssl.SSLSocket, number: int) -> None:
        file = wrapped.makefile("rb")
        while line := file.readline():
            headers = {}
            while (header := file.readline()) not in (b"\r\n", b""):
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = file.read(int(headers.get("content-length", 0)))
            answer = self._decide(Asked(line.split()[1].decode(), headers, body, number, 0))
            if not isinstance(answer, Say):
                return
            extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            head = f"HTTP/1.1 {answer.status} -\r\ncontent-length: {len(answer.body)}\r\n{extra}\r\n"
            wrapped.sendall(head.encode("latin-1") + answer.body)
            if answer.then_close:
                return


def goaway(last: int, code: int = 0) -> bytes:
    """A GOAWAY frame, encoded here because h2 sends nothing more after its own."""
    payload = last.to_bytes(4, "big") + code.to_bytes(4, "big") + b'{"reason":"Shutdown"}'
    return len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload
