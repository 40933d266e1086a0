"""The one consumer behind `/ws`: an upgrade becomes a signed-in socket, its frames become commands.

A plain ASGI application rather than a Channels consumer: those hop to a thread for every event.
What a command means stands in the apps above (`registry`); what goes out stands in `sockets` and `hub`.

States, in this order and never back: upgrading -> unsigned -> signed in -> closed.
"""

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.conf import settings
from django.utils import timezone

from realtime import bodies, registry, sockets
from realtime.commands import decode_command, ids_of
from realtime.crash import crash_point
from realtime.door import announce_now_without_commit
from realtime.drain import drain
from realtime.errors import DomainError, TryAgain
from realtime.frames import Auth, Connected, Frame, Ping, Pong, Reconnect, error_frame
from realtime.hub import hub
from realtime.items import Ended
from realtime.origin import origin_is_allowed
from realtime.rate import Bucket
from realtime.registry import Identity
from realtime.sockets import Send, Socket
from realtime.sweep import keep_process_running
from realtime.threads import in_database_thread
from realtime.wire import WRITE_EXTENSION, WireFrame

log = logging.getLogger("chatsite.socket")


PROTOCOL = 1
FLOOD_SECONDS = 10
FLOOD_PAUSE_SECONDS = 2
# How long a client may take to answer a close, and to read what is still on its way to it.
CLOSE_SECONDS = 5
Receive = Callable[[], Awaitable[dict[str, Any]]]
_unsigned: Counter[str] = Counter()


async def socket_application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one WebSocket connection, as an ASGI application."""
    keep_process_running()
    await Connection(scope, receive, send).serve()


async def refuse_path(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer an upgrade at any other path: 404 where the server can, else 403."""
    await receive()
    await Connection(scope, receive, send).deny(404)


class Refused(Exception):
    """The connection ends here, with this close code."""

    def __init__(self, code: int, error: DomainError | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.error = error


class Gone(Exception):
    """The client ended the connection."""


class Connection:
    """One connection from upgrade to close."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._frame_bucket = Bucket(settings.LIMITS.frames_per_second, settings.LIMITS.frames_burst)
        # When frames came that were no commands; most clients never send one.
        self._bad_frames: list[float] = []
        self._flood_since = self._flooded_at = 0.0
        # The `id` of the auth frame, for the answer to it.
        self._auth_id: str | None = None

    async def serve(self) -> None:
        """Take the connection through its states, and see to it that it ends."""
        abort = self._abort()
        try:
            await self._serve(abort)
        finally:
            # A transport that is closed still waits until the client has read everything: for ever, if it never does.
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, abort)

    async def _serve(self, abort: Callable[[], object]) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        if drain.begun:
            await self.deny(503)
            return
        try:
            identity = await self._upgrade()
        except DomainError as error:
            await self.deny(error.status)
            return
        except Gone:
            return
        except Refused as refusal:
            await self._close_unsigned(refusal)
            return
        self._forget_headers()
        write = self._scope.get("extensions", {}).get(WRITE_EXTENSION, {}).get("write")
        socket = Socket(self._send, abort, identity, uuid.uuid4().hex, write)
        try:
            await self._sign_in(socket)
            await self._serve_frames(socket)
        except Gone:
            pass
        except Refused as refusal:
            frame = error_frame(refusal.error.body(), id=None) if refusal.error else None
            socket.close(refusal.code, frame)
            await self._until_gone()
        finally:
            socket.forget()
            hub.detach(socket)
            for closed in registry.closed_listeners:
                closed(socket)

    # --- Upgrading and signing in ---------------------------------------------------------

    async def _upgrade(self) -> Identity:
        """Accept the upgrade and find out who asks, by header, cookie or first frame.

        :raises DomainError: the upgrade itself is refused.
        :raises Refused: accepted, but nobody signed in.
        """
        bearer = self._header(b"authorization")
        cookies = self._header(b"cookie")
        with_session_cookie = f"{settings.SESSION_COOKIE_NAME}=" in cookies
        if bearer:
            scheme, _, token = bearer.partition(" ")
            await self._accept()
            identity = None
            if scheme.lower() == "bearer":
                identity = await self._identify(registry.authenticator().by_token, token.strip())
        elif with_session_cookie:
            if not origin_is_allowed(self._header(b"origin"), self._header(b"host")):
                raise DomainError("forbidden", "This Origin is not allowed.")
            await self._accept()
            identity = await self._identify(registry.authenticator().by_cookie, cookies)
        else:
            return await self._upgrade_unsigned()
        if identity is None:
            raise Refused(sockets.NOT_SIGNED_IN, DomainError("unauthenticated", "The credential is not valid."))
        return identity

    async def _upgrade_unsigned(self) -> Identity:
        address = self._address()
        if _unsigned[address] >= settings.LIMITS.unsigned_sockets_per_address:
            raise DomainError("rate_limited", "Too many sockets of this address have not signed in.")
        _unsigned[address] += 1
        try:
            await self._accept()
            async with asyncio.timeout(settings.LIMITS.auth_seconds):
                text = await self._next_text()
            self._auth_id = ids_of(text)["id"]
            frame = bodies.decode(text, Auth)
        except TimeoutError as error:
            raise Refused(sockets.NOT_SIGNED_IN) from error
        except DomainError as error:
            why = DomainError("unauthenticated", "The first frame must be auth.")
            raise Refused(sockets.NOT_SIGNED_IN, why) from error
        finally:
            _unsigned[address] -= 1
            if not _unsigned[address]:
                del _unsigned[address]
        identity = await self._identify(registry.authenticator().by_token, frame.token)
        if identity is None:
            raise Refused(sockets.NOT_SIGNED_IN, DomainError("unauthenticated", "The token is not valid."))
        return identity

    async def _identify(self, recognise: Callable[[str], Identity | None], credential: str) -> Identity | None:
        try:
            return await in_database_thread(recognise, credential)
        except TryAgain as error:
            raise Refused(sockets.RESTART, error) from error

    async def _sign_in(self, socket: Socket) -> None:
        """Attach the socket, make it the only one of its device, and tell the client."""
        others = [other for other in hub.users.get(socket.user_id, ()) if other.session_id != socket.session_id]
        if len(others) >= settings.LIMITS.sockets_per_user:
            raise Refused(
                sockets.TOO_FAST, DomainError("rate_limited", "Too many sockets of this user.", retry_after=30)
            )
        socket.hold()
        try:
            await hub.attach(socket)
        except TryAgain as error:
            socket.send(Reconnect(retry_after=1.0))
            raise Refused(sockets.RESTART) from error
        announce_now_without_commit(
            [
                Ended(
                    sockets.REPLACED,
                    user_id=socket.user_id,
                    session_id=socket.session_id,
                    except_connection=socket.connection_id,
                )
            ]
        )
        socket.send(
            Connected(
                session_id=socket.session_id,
                user_id=socket.user_id,
                server_time=timezone.now(),
                heartbeat_interval=settings.LIMITS.heartbeat_seconds,
                protocol=PROTOCOL,
                id=self._auth_id,
            )
        )
        socket.release({})
        for signed_in in registry.signed_in_listeners:
            signed_in(socket)

    # --- Frames in ------------------------------------------------------------------------

    async def _serve_frames(self, socket: Socket) -> None:
        while True:
            text = await self._next_text()
            socket.heard_at = time.monotonic()
            if socket.closing:
                continue
            if wait := self._frame_bucket.take():
                self._refuse_flood(socket, text, wait)
                continue
            try:
                command = decode_command(text)
                crash_point("parsed")
                answer = registry.commands[registry.tag_of(type(command))][1](socket, command)
                if answer is not None:
                    await answer
            except DomainError as error:
                self._refuse_frame(socket, text, error)
            except Exception:
                log.exception("a command failed")
                self._refuse_frame(socket, text, DomainError("server_error", "The server failed; this was logged."))

    def _refuse_frame(self, socket: Socket, text: str, error: DomainError) -> None:
        """Answer a frame that was refused; too many that are no command at all close the socket."""
        socket.send(error_frame(error.body(), **ids_of(text)))
        if error.code not in ("malformed", "unknown_type", "invalid"):
            return
        now = time.monotonic()
        self._bad_frames.append(now)
        while self._bad_frames[0] < now - 60:
            del self._bad_frames[0]
        if len(self._bad_frames) > settings.LIMITS.bad_frames_per_minute:
            raise Refused(sockets.BAD_FRAMES)

    def _refuse_flood(self, socket: Socket, refused: str, wait: float) -> None:
        now = time.monotonic()
        if now - self._flooded_at > FLOOD_PAUSE_SECONDS:
            self._flood_since = now
        self._flooded_at = now
        error = DomainError("rate_limited", "Too many frames.", retry_after=wait)
        frame = bodies.encode(error_frame(error.body(), **ids_of(refused)))
        socket.deliver(WireFrame(frame), droppable=True)
        if now - self._flood_since >= FLOOD_SECONDS:
            raise Refused(sockets.TOO_FAST)

    async def _next_text(self) -> str:
        """Return the next text frame.

        :raises Gone: the client left.
        :raises Refused: the frame is binary or too large.
        """
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        if text is None:
            raise Refused(sockets.UNSUPPORTED_DATA)
        limit = settings.LIMITS.frame_bytes
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise Refused(sockets.TOO_BIG)
        return str(text)

    # --- ASGI -----------------------------------------------------------------------------

    async def _accept(self) -> None:
        await self._send({"type": "websocket.accept"})

    async def deny(self, status: int) -> None:
        """Answer the upgrade with a plain HTTP status, where the server can."""
        if "websocket.http.response" in self._scope.get("extensions", {}):
            await self._send({"type": "websocket.http.response.start", "status": status, "headers": []})
            await self._send({"type": "websocket.http.response.body", "body": b""})
        else:
            await self._send({"type": "websocket.close"})

    async def _close_unsigned(self, refusal: Refused) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._say_why(refusal)
        except Exception:  # noqa: BLE001 - the client left meanwhile, or reads nothing
            return
        await self._until_gone()

    async def _say_why(self, refusal: Refused) -> None:
        if refusal.error is not None:
            frame = bodies.encode(error_frame(refusal.error.body(), id=self._auth_id))
            await self._send(WireFrame(frame).message)
        await self._send({"type": "websocket.close", "code": refusal.code})

    async def _until_gone(self) -> None:
        """Read on until the client has answered the close, so that the close code reaches it."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while (await self._receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            pass

    def _abort(self) -> Callable[[], object]:
        """Return how to cut this connection when even a close frame cannot be written."""
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            return cast(Callable[[], object], transport.abort)
        task = asyncio.current_task()
        assert task is not None
        return task.cancel

    def _forget_headers(self) -> None:
        """Let go of what was only needed to find out who asks: two KiB for as long as the connection lives."""
        self._headers.clear()
        self._scope["headers"].clear()

    def _header(self, name: bytes) -> str:
        return self._headers.get(name, b"").decode("latin-1")

    def _address(self) -> str:
        client = self._scope.get("client")
        return client[0] if client else ""


def _ping(socket: Socket, command: Ping) -> None:
    socket.send(Pong(timestamp=command.timestamp, server_time=timezone.now(), heads=hub.heads(socket), id=command.id))


def _auth(socket: Socket, command: Auth) -> None:
    raise DomainError("conflict", "This socket is signed in already.")


registry.register_command(Auth, _auth)
registry.register_command(Ping, _ping)
registry.register_frames(*(kind for kind in Frame.__subclasses__() if kind.__module__ == "realtime.frames"))
