"""A complete Chatsite client: signs in, catches up, prints messages, sends typed lines.

    pip install websockets
    python client.py http://127.0.0.1:8000 ana chatsite-demo CONVERSATION_ID

It follows every rule of docs/protocol.md. A real client also stores `cursors`, `since` and `outbox` on disk.
"""

import asyncio
import json
import random
import sys
import urllib.error
import urllib.request
import uuid
import zlib

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

FINAL = {4401: "not signed in", 4403: "session revoked", 4409: "this device is in use elsewhere"}
RETRYABLE = ("try_again", "rate_limited", "server_error")


def rest(url, token=None, body=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=15) as answer:
        return json.load(answer)


class Client:
    def __init__(self, base, token):
        self.base, self.token, self.socket, self.me = base, token, None, None
        self.cursors, self.since, self.epoch, self.syncing = {}, None, None, False
        self.outbox, self.interval = {}, 30  # outbox: client_message_id -> frame, oldest first

    async def run(self):
        failures, heart, url = 0, asyncio.create_task(self.beat()), f"ws{self.base.removeprefix('http')}/ws"
        while True:
            code, wait = None, None
            try:
                async with connect(url, additional_headers={"Authorization": f"Bearer {self.token}"}) as self.socket:
                    async for text in self.socket:  # one frame at a time, so order holds
                        frame = json.loads(text)
                        failures = 0 if frame["type"] == "connected" else failures
                        wait = frame["retry_after"] if frame["type"] == "reconnect" else wait
                        await self.receive(frame)
            except ConnectionClosed as closed:
                code = closed.rcvd and closed.rcvd.code
            except (OSError, InvalidHandshake):
                pass  # no server answers, or the upgrade was refused for now
            if code in FINAL:
                heart.cancel()
                return FINAL[code]
            await asyncio.sleep((wait or 0) + random.uniform(0, min(30, 0.5 * 2 ** min(failures, 6))))
            failures += 1

    async def beat(self):
        while True:
            await asyncio.sleep(self.interval)
            await self.say({"type": "ping"})
            await self.send_unsent()

    async def say(self, frame):
        try:
            await self.socket.send(json.dumps(frame))
        except (ConnectionClosed, AttributeError):
            pass  # messages are in the outbox and are sent with the next connection

    async def send(self, conversation_id, content):
        key = str(uuid.uuid4())  # made once; every repetition uses the same
        message = {"conversation_id": conversation_id, "client_message_id": key, "content": content}
        self.outbox[key] = {"type": "send_message"} | message
        await self.say(self.outbox[key])

    async def send_unsent(self):
        for frame in list(self.outbox.values()):
            await self.say(frame)

    async def sync(self):
        if not self.syncing:
            self.syncing = True
            known = {"cursors": self.cursors, "since": self.since, "epoch": self.epoch}
            await self.say({"type": "sync", "id": "sync"} | known)

    def enter(self, epoch):
        if epoch != self.epoch:  # another log: the cursors belong to the former one
            self.cursors, self.since, self.epoch = {}, None, epoch

    async def load(self, key):
        try:
            body = await asyncio.to_thread(rest, f"{self.base}/api/v1/conversations/{key}", self.token)
            self.cursors[key] = body["last_sequence"]
            await self.show(body["last_message"])
        except urllib.error.HTTPError:
            self.cursors.pop(key, None)  # no longer mine; if it is, the next check of heads shows that

    async def receive(self, frame):
        match frame["type"]:
            case "connected":
                self.enter(frame["epoch"])
                self.me, self.since, self.syncing = frame["user_id"], self.since or frame["server_time"], False
                self.interval = frame["heartbeat_interval"]
                await self.sync()
                await self.send_unsent()
            case "message_ack":  # has a sequence, too, but is no event
                self.outbox.pop(frame["client_message_id"], None)
            case "error":
                self.syncing = self.syncing and frame.get("id") != "sync"
                if frame["code"] not in RETRYABLE:
                    print("refused:", frame["message"], self.outbox.pop(frame.get("client_message_id"), ""), flush=True)
            case "sync_complete":
                self.enter(frame["epoch"])
                self.since, self.syncing, heads = frame["server_time"], False, frame["heads"]
                self.cursors = {key: self.cursors[key] for key in self.cursors.keys() & heads.keys()}
                for key in (heads.keys() - self.cursors.keys()) | set(frame["resync"]):
                    await self.load(key)
                if any(self.cursors.get(key, head) < head for key, head in heads.items()):
                    await self.sync()
            case "pong":
                sums = [zlib.crc32(f"{key}:{cursor}".encode()) for key, cursor in self.cursors.items()]
                if frame["heads"] != {"count": len(sums), "checksum": sum(sums) % 2**32}:
                    await self.sync()
            case _ if "sequence" in frame:  # an event of a conversation's log, of a known type or not
                key, cursor = frame["conversation_id"], self.cursors.get(frame["conversation_id"])
                if cursor is None and frame["type"] != "participant_removed":
                    await self.load(key)
                elif cursor is not None and frame["sequence"] == cursor + 1:
                    self.cursors[key] = cursor + 1
                    await self.apply(frame)
                elif cursor is not None and frame["sequence"] > cursor:
                    await self.sync()  # a gap: the missing events come, including this one

    async def apply(self, event):
        if event["type"] == "participant_removed" and event["user_id"] == self.me:
            del self.cursors[event["conversation_id"]]
        elif event["type"] == "new_message":
            await self.show(event["message"])

    async def show(self, message):
        if message and message["sender_user_id"]:  # system messages have none
            print(f"{message['sender_user_id']}: {message['content']}", flush=True)
            if message["sender_user_id"] != self.me:
                await self.say({"type": "delivery_receipt", "message_id": message["id"]})


async def main(base, username, password, conversation_id):
    token = rest(f"{base}/api/v1/auth/login", body={"username": username, "password": password})["token"]
    client = Client(base, token)
    running = asyncio.create_task(client.run())
    while line := await asyncio.to_thread(sys.stdin.readline):
        await client.send(conversation_id, line.strip())
    print(await running)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
