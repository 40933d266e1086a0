"""The one consumer behind `/ws`: an upgrade becomes a signed-in socket, its frames become commands.

A plain ASGI application, because a Channels consumer hops to a thread for every event.
Not here: what a command means (the apps, by `registry`), what goes out (`realtime.fanout`).

States, in this order and never back: upgrading -> unsigned -> signed in -> closed (`connection.ConnectionState`).
"""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings

from realtime.database import clock
from realtime.database.crash import crash_point
from realtime.fanout.door import announce_now_without_commit
from realtime.fanout.hub import hub
from realtime.fanout.outbox import Send
from realtime.fanout.sockets import Socket
from realtime.fanout.sweep import keep_process_running
from realtime.registry import registry, tag_of
from realtime.socket.commands import decode_command, ids_of
from realtime.socket.connection import CLOSE_SECONDS, Gone, Receive, Refused, WebSocketConnection
from realtime.socket.drain import drain
from realtime.socket.handshake import charge_offence, identify
from realtime.socket.rate import Bucket
from realtime.wire import bodies
from realtime.wire.announcements import CloseSockets
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import DomainError, TryAgain
from realtime.wire.frames import Auth, Connected, Ping, Pong, Reconnect, error_frame
from realtime.wire.wire_frame import WRITE_EXTENSION, WireFrame

log = logging.getLogger("chatsite.socket")


PROTOCOL = 1
FLOOD_SECONDS = 10
FLOOD_PAUSE_SECONDS = 2


async def socket_application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one WebSocket connection, as an ASGI application."""
    keep_process_running()
    await Consumer(WebSocketConnection(scope, receive, send)).serve()


async def refuse_path(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer an upgrade at any other path: 404 where the server can, else 403."""
    connection = WebSocketConnection(scope, receive, send)
    try:
        await connection.request_upgrade()
        await connection.deny(404)
    except Gone:
        pass


class Consumer:
    """Takes one connection from upgrade to close."""

    __slots__ = ("_bad_frames", "_connection", "_flood_since", "_flooded_at", "_frame_bucket")

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self._frame_bucket = Bucket(settings.LIMITS.frames_per_second, settings.LIMITS.frames_burst)
        # When frames came that were no valid commands; most clients never send one.
        self._bad_frames: list[float] = []
        self._flood_since = self._flooded_at = 0.0

    async def serve(self) -> None:
        """Take the connection through its states; it ends, whatever fails."""
        connection = self._connection
        abort = connection.abort_function()
        try:
            socket = await self._open(abort)
            if socket is not None:
                await self._serve_socket(socket)
        except Gone:
            pass
        except Exception:
            log.exception("a connection failed while it was %s", connection.state.value)
            await connection.fail()
        finally:
            # A closed transport waits until the client has read everything. A client that never reads is cut off.
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, abort)

    async def _open(self, abort: Callable[[], object]) -> Socket | None:
        """Find out who the client is and return its socket; None if the connection was refused.

        It returns before frames are served: a waiting coroutine costs each idle connection half a KiB.
        """
        connection = self._connection
        await connection.request_upgrade()
        if drain.begun:
            await connection.deny(503)
            return None
        try:
            identity = await identify(connection)
        except DomainError as error:
            await connection.deny(error.status, retry_after=error.retry_after)
            return None
        except Refused as refusal:
            await connection.close_unsigned(refusal)
            return None
        connection.sign_in()
        connection.forget_headers()
        write = connection.scope.get("extensions", {}).get(WRITE_EXTENSION, {}).get("write")
        return Socket(connection.send, abort, identity, uuid.uuid4().hex, write)

    async def _serve_socket(self, socket: Socket) -> None:
        connection = self._connection
        try:
            await self._sign_in(socket)
            try:
                await self._serve_frames(socket)
            except (Gone, Refused) as end:
                charge_offence(connection, end.code)
                raise
        except Gone as gone:
            socket.disconnected(gone.code)
        except Refused as refusal:
            frame = error_frame(refusal.error.body(), id=None) if refusal.error else None
            socket.close(refusal.code, frame)
            await connection.close_signed_in()
        except Exception:
            socket.close(CloseCode.INTERNAL_ERROR)
            raise
        finally:
            socket.forget()
            hub.detach(socket)
            for closed in registry.closed_listeners:
                closed(socket)

    async def _sign_in(self, socket: Socket) -> None:
        """Attach the socket, close other sockets of the same device session, and send `connected`."""
        others = [other for other in hub.users.get(socket.user_id, ()) if other.session_id != socket.session_id]
        if len(others) >= settings.LIMITS.sockets_per_user:
            raise Refused(
                CloseCode.TOO_FAST, DomainError("rate_limited", "Too many sockets of this user.", retry_after=30)
            )
        socket.start_buffering(ephemeral=True)  # `connected` comes before everything
        try:
            await hub.attach(socket)
        except TryAgain as error:
            # The mean interval at which a device may connect in the long run.
            longest = max(1.0, 60 / settings.LIMITS.connects_per_minute)
            socket.send(Reconnect(retry_after=round(random.uniform(1, longest), 2)))  # noqa: S311 - spreads, hides nothing
            raise Refused(CloseCode.RESTART) from error
        announce_now_without_commit(
            [
                CloseSockets(
                    CloseCode.REPLACED,
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
                server_time=clock.now(),
                heartbeat_interval=settings.LIMITS.heartbeat_seconds,
                protocol=PROTOCOL,
                epoch=hub.epoch,
                id=self._connection.auth_id,
            )
        )
        socket.release({})
        for signed_in in registry.signed_in_listeners:
            signed_in(socket)

    async def _serve_frames(self, socket: Socket) -> None:
        while True:
            text = await self._connection.next_text()
            socket.heard_at = time.monotonic()
            if socket.closing:
                continue
            if wait := self._frame_bucket.take():
                self._refuse_flood(socket, text, wait)
                continue
            try:
                command = decode_command(text)
                crash_point("parsed")
                answer = registry.commands[tag_of(type(command))].handler(socket, command)
                if answer is not None:
                    await answer
            except DomainError as error:
                self._refuse_frame(socket, text, error)
            except Exception:
                log.exception("a command failed")
                self._refuse_frame(socket, text, DomainError("server_error", "The server failed; this was logged."))

    def _refuse_frame(self, socket: Socket, text: str, error: DomainError) -> None:
        """Answer a refused frame; close the socket after too many that are no valid commands.

        :raises Refused: there were too many.
        """
        socket.send(error_frame(error.body(), **ids_of(text)))
        if error.code not in ("malformed", "unknown_type", "invalid"):
            return
        now = time.monotonic()
        self._bad_frames.append(now)
        while self._bad_frames[0] < now - 60:
            del self._bad_frames[0]
        if len(self._bad_frames) > settings.LIMITS.bad_frames_per_minute:
            raise Refused(CloseCode.BAD_FRAMES)

    def _refuse_flood(self, socket: Socket, refused: str, wait: float) -> None:
        """Answer a frame above the rate; close the socket when the flood lasts `FLOOD_SECONDS`.

        A pause of `FLOOD_PAUSE_SECONDS` ends a flood.

        :raises Refused: the flood lasted too long.
        """
        now = time.monotonic()
        if now - self._flooded_at > FLOOD_PAUSE_SECONDS:
            self._flood_since = now
        self._flooded_at = now
        error = DomainError("rate_limited", "Too many frames.", retry_after=wait)
        frame = bodies.encode(error_frame(error.body(), **ids_of(refused)))
        socket.outbox.deliver(WireFrame(frame), droppable=True)
        if now - self._flood_since >= FLOOD_SECONDS:
            raise Refused(CloseCode.TOO_FAST)


@registry.command(Ping, answers=[Pong])
def _ping(socket: Socket, command: Ping) -> None:
    socket.send(Pong(timestamp=command.timestamp, server_time=clock.now(), heads=hub.heads(socket), id=command.id))


@registry.command(Auth, answers=[Connected])
def _auth(socket: Socket, command: Auth) -> None:
    raise DomainError("conflict", "This socket is signed in already.")
