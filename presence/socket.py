"""Presence and typing on the socket."""

import time

from presence import frames, services
from presence.typists import typists
from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.errors import NotFound


@registry.command(frames.TypingCommand)
async def typing(socket: Socket, command: frames.TypingCommand) -> None:
    """Notify the members; only a refusal is answered."""
    socket.active_at = time.monotonic()
    conversation_id = str(command.conversation_id)
    if conversation_id not in socket.topics:
        raise NotFound("conversation")
    await typists.set(socket, conversation_id, command.is_typing)


@registry.command(frames.PresenceUpdate)
async def presence_update(socket: Socket, command: frames.PresenceUpdate) -> None:
    """Store the status that the person chose."""
    socket.active_at = time.monotonic()
    await in_database_thread(
        services.choose_status, user_id=socket.user_id, status=command.status, activity=command.activity
    )
