"""The one consumer behind `/ws`: an upgrade becomes a signed-in socket, its frames become commands.

A plain ASGI application rather than a Channels consumer: those hop to a thread for every event.
What a command means stands in the apps above (`registry`); what goes out stands in `sockets` and `hub`.

States, in this order and never back: upgrading -> unsigned -> signed in -> closed.
"""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings

from realtime import registry
from realtime.database import clock
from realtime.database.crash import crash_point
from realtime.fanout import sockets
from realtime.fanout.door import announce_now_without_commit
from realtime.fanout.hub import hub
from realtime.fanout.sockets import Send, Socket
from realtime.fanout.sweep import keep_process_running
from realtime.socket.commands import decode_command, ids_of
from realtime.socket.connection import CLOSE_SECONDS, Connection, Gone, Receive, Refused
from realtime.socket.drain import drain
from realtime.socket.handshake import identify, note_end
from realtime.socket.rate import Bucket
from realtime.wire import bodies
from realtime.wire.errors import DomainError, TryAgain
from realtime.wire.frames import Auth, Connected, Frame, Ping, Pong, Reconnect, error_frame
from realtime.wire.items import Ended
from realtime.wire.wire_frame import WRITE_EXTENSION, WireFrame

log = logging.getLogger("chatsite.socket")


PROTOCOL = 1
FLOOD_SECONDS = 10
FLOOD_PAUSE_SECONDS = 2


async def socket_application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one WebSocket connection, as an ASGI application."""
    keep_process_running()
    await Consumer(Connection(scope, receive, send)).serve()


async def refuse_path(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer an upgrade at any other path: 404 where the server can, else 403."""
    await receive()
    await Connection(scope, receive, send).deny(404)


class Consumer:
    """Takes one connection from upgrade to close."""

    __slots__ = ("_bad_frames", "_connection", "_flood_since", "_flooded_at", "_frame_bucket")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frame_bucket = Bucket(settings.LIMITS.frames_per_second, settings.LIMITS.frames_burst)
        # When frames came that were no commands; most clients never send one.
        self._bad_frames: list[float] = []
        self._flood_since = self._flooded_at = 0.0

    async def serve(self) -> None:
        """Take the connection through its states, and see to it that it ends."""
        abort = self._connection.abort_function()
        try:
            await self._serve(abort)
        finally:
            # A transport that is closed still waits until the client has read everything: for ever, if it never does.
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, abort)

    async def _serve(self, abort: Callable[[], object]) -> None:
        connection = self._connection
        if (await connection.receive())["type"] != "websocket.connect":
            return
        if drain.begun:
            await connection.deny(503)
            return
        try:
            identity = await identify(connection)
        except DomainError as error:
            await connection.deny(error.status, retry_after=error.retry_after)
            return
        except Gone:
            return
        except Refused as refusal:
            await connection.close_unsigned(refusal)
            return
        connection.forget_headers()
        write = connection.scope.get("extensions", {}).get(WRITE_EXTENSION, {}).get("write")
        socket = Socket(connection.send, abort, identity, uuid.uuid4().hex, write)
        try:
            await self._sign_in(socket)
            try:
                await self._serve_frames(socket)
            except (Gone, Refused) as end:
                note_end(connection, end.code)
                raise
        except Gone as gone:
            if socket.close_code is None:
                socket.close_code = gone.code
        except Refused as refusal:
            frame = error_frame(refusal.error.body(), id=None) if refusal.error else None
            socket.close(refusal.code, frame)
            await connection.until_gone()
        finally:
            socket.forget()
            hub.detach(socket)
            for closed in registry.closed_listeners:
                closed(socket)

    async def _sign_in(self, socket: Socket) -> None:
        """Attach the socket, make it the only one of its device, and tell the client."""
        others = [other for other in hub.users.get(socket.user_id, ()) if other.session_id != socket.session_id]
        if len(others) >= settings.LIMITS.sockets_per_user:
            raise Refused(
                sockets.TOO_FAST, DomainError("rate_limited", "Too many sockets of this user.", retry_after=30)
            )
        socket.hold(notices=True)  # `connected` comes before everything
        try:
            await hub.attach(socket)
        except TryAgain as error:
            # As often as a device may connect, in the long run.
            longest = max(1.0, 60 / settings.LIMITS.connects_per_minute)
            socket.send(Reconnect(retry_after=round(random.uniform(1, longest), 2)))  # noqa: S311 - spreads, hides nothing
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


def _ping(socket: Socket, command: Ping) -> None:
    socket.send(Pong(timestamp=command.timestamp, server_time=clock.now(), heads=hub.heads(socket), id=command.id))


def _auth(socket: Socket, command: Auth) -> None:
    raise DomainError("conflict", "This socket is signed in already.")


registry.register_command(Auth, _auth)
registry.register_command(Ping, _ping)
registry.register_frames(*(kind for kind in Frame.__subclasses__() if kind.__module__ == "realtime.wire.frames"))
