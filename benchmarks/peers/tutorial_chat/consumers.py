"""The consumer of the tutorial's third part; it also stores messages."""

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from benchmarks.peers.tutorial_chat.models import Message


class ChatConsumer(AsyncWebsocketConsumer):
    """One socket of one person in one room."""

    async def connect(self) -> None:
        if not self.scope["user"].is_authenticated:
            await self.close()
            return
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "room_group_name"):
            await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = json.loads(text_data or "")["message"]
        await Message.objects.acreate(room=self.room_name, author=self.scope["user"], text=message)
        await self.channel_layer.group_send(self.room_group_name, {"type": "chat.message", "message": message})

    async def chat_message(self, event: dict[str, Any]) -> None:
        """Handle a message of the room's group."""
        await self.send(text_data=json.dumps({"message": event["message"]}))
