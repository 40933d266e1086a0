"""One connection of a device: a light socket that hands frames to its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.websocket import WebSocket
from tests.campaign.frames import decode

if TYPE_CHECKING:
    from tests.campaign.device import Device


class Wire(WebSocket):
    """A connection of a device; the device numbers its connections from 1."""

    def __init__(self, device: Device, number: int, port: int) -> None:
        super().__init__(f"127.0.0.1:{port}", "/ws", {"Authorization": f"Bearer {device.token}"})
        self.device = device
        self.number = number
        self.is_open = True

    def on_text(self, payload: bytes) -> None:
        """Give a frame to the device."""
        self.device.hears(self, decode(payload))

    def on_close(self) -> None:
        """Notify the device that this connection ended."""
        self.is_open = False
        if self.opened.done() and not self.opened.cancelled():
            self.opened.exception()  # read it, in case the waiting coroutine has given up
        self.device.was_closed(self)
