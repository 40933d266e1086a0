"""The model and the server together: each step is done with both, and everything that both show is compared."""

from collections import Counter
from typing import Any
from uuid import uuid4

from tests.harness.replica import checksum
from tests.harness.snapshots import differences
from tests.harness.socket_side import Frame
from tests.machine import views
from tests.machine.client import MachineDevice, is_kept
from tests.machine.facts import EventNews, Shown
from tests.machine.local import sign_in, sign_up
from tests.machine.model import Model
from tests.machine.rights import Refusal
from tests.machine.translator import Translator
from tests.machine.web import Job, WebClients, shows

PEOPLE = ["ana", "ben", "cleo", "dan"]
MOST_TURNS = 60


class World:
    """Four people, their devices, and the model of what they do."""

    def __init__(self, web: WebClients, tally: Counter[str]) -> None:
        self.tally = tally
        self.model = Model(PEOPLE)
        self.translator = Translator()
        self.devices: list[MachineDevice] = []
        self.persons: dict[str, Any] = {}
        self.web = web

    async def begins(self) -> None:
        """Sign everybody up."""
        for name in PEOPLE:
            person = self.persons[name] = await sign_up(name)
            self.translator.people[person.id] = name
            await self.signs_in(name)

    async def ends(self) -> None:
        """Close all sockets and drop the web clients."""
        for each in self.devices:
            await each.device.leaves()
        self.web.turn([{"do": "end"}])

    async def signs_in(self, name: str) -> MachineDevice:
        """Open one more device session."""
        key = f"{name}-{len(self.devices)}"
        signed_in = MachineDevice(key, name, await sign_in(self.persons[name], key))
        self.devices.append(signed_in)
        self.model.sign_in(name, key)
        self.web.turn([self.job(signed_in, "begin", user=self.user(signed_in))])
        return signed_in

    # --- Live frames --------------------------------------------------------------------------

    async def spreads(self) -> None:
        """Let the news reach every open socket: exactly the frames that its person may see, in order."""
        news = self.model.take_news()
        jobs: list[Job] = []
        answered = []
        for each in self.devices:
            if each.is_connected:
                wanted = self._frames_for(each, news)
                frames, pong = await each.hears(len(wanted))
                heard = [self.translator.frame(frame) for frame in frames if is_kept(frame)]
                assert_same(in_order(heard), in_order(wanted), f"{each.key} heard")
                self._agrees_on_heads(each, pong)
                arrived = await self._applies(each, each.through_network(frames))
                jobs += arrived
                if arrived and (answers := each.take_answers()):
                    jobs += answers
                    answered.append(each)
        await self.turns(jobs)
        for each in self.devices:
            if each.is_connected and each.began and each.intact and not each.waits:
                self._replica_agrees(each)
                if each in answered and not each.answers:
                    self._web_shows(each)

    def _frames_for(self, device: MachineDevice, news: list[Any]) -> list[Shown]:
        wanted = []
        for each in news:
            talk = self.model.conversations[each.conversation]
            if isinstance(each, EventNews):
                if device.person in each.audience:
                    wanted.append(views.frame(talk, each.event, device.person, live=True))
            else:
                wanted += views.receipt_frames(each, device.person, device.key, talk)
        return wanted

    def _agrees_on_heads(self, device: MachineDevice, pong: Frame) -> None:
        heads = {
            self.translator.id_of_conversation(label): head
            for label, head in views.heads(self.model, device.person).items()
        }
        assert pong["heads"] == {"count": len(heads), "checksum": checksum(heads)}, f"heads of {device.key}: {heads}"

    async def _applies(self, device: MachineDevice, frames: list[Frame]) -> list[Job]:
        """Give frames to the reference client; return the jobs that give them to the web client."""
        for frame in frames:
            await device.replica.applies(frame)
        return [self.job(device, "frame", frame=frame) for frame in frames]

    async def turns(self, jobs: list[Job]) -> None:
        """Let the web clients do jobs, and carry out their requests, until they have none."""
        for _ in range(MOST_TURNS):
            turned = self.web.turn(jobs)
            jobs = []
            for wish in turned["wishes"]:
                device = self.device(wish["client"])
                if "frame" in wish:
                    jobs += await self._answers_sync(device, wish["frame"])
                else:
                    ask = wish["ask"]
                    status, body = await device.device.request("GET", ask["path"], query=ask["query"])
                    answer = self.job(device, "answer", number=ask["number"], status=status, body=body)
                    # Pages that a person looks at are not delayed; repairs go on in the background.
                    if device.slow and not ask["path"].endswith(("/messages", "/conversations")):
                        device.slow -= 1
                        device.met["slow"] += 1
                        device.answers.append(answer)
                    else:
                        jobs.append(answer)
            jobs += [{"client": key, "do": "wait"} for key in turned["waiting"] if not jobs]
            if not jobs:
                return
        raise AssertionError(f"the web clients never finish: {jobs}")

    async def comes_to_rest(self, device: MachineDevice) -> None:
        """Give a web client all its delayed answers."""
        device.slow = 0
        await self.turns(device.take_answers())

    async def _answers_sync(self, device: MachineDevice, frame: Frame) -> list[Job]:
        assert frame["type"] == "sync", frame
        if not device.is_connected:
            return []
        device.web_synced = True
        fields = {name: value for name, value in frame.items() if name != "type"}
        return [self.job(device, "frame", frame=each) for each in await self.syncs(device, fields)]

    # --- Catching up ----------------------------------------------------------------------

    async def syncs(self, device: MachineDevice, fields: dict[str, Any]) -> list[Frame]:
        """Send `sync`, check the answer against the model, and return all its frames."""
        frames = await device.asks("sync", fields)
        cursors = {self.translator.conversations[id]: cursor for id, cursor in fields["cursors"].items()}
        received = [self.translator.frame(frame) for frame in frames if is_kept(frame)]
        self.agrees_on_catch_up(device.person, cursors, received, frames[-1])
        return frames

    def agrees_on_catch_up(self, viewer: str, cursors: dict[str, int], received: list[Shown], end: Frame) -> None:
        """Check events, heads and `resync` of a catch-up against the model, and that its receipts are true."""
        wanted, resync = [], set()
        for label, cursor in cursors.items():
            try:
                wanted += views.events(self.model, viewer, label, cursor)
            except Refusal as refusal:
                if refusal.code == "resync_required":
                    resync.add(label)
        events = [frame for frame in received if "sequence" in frame]
        assert_same(in_order(events), in_order(wanted), f"{viewer} caught up")
        assert self.translator.heads(end["heads"]) == views.heads(self.model, viewer)
        assert {self.translator.conversations[id] for id in end["resync"]} == resync
        for frame in received:
            if "sequence" not in frame:
                self._is_true(viewer, frame)

    def _is_true(self, viewer: str, receipt: Shown) -> None:
        talk = self.model.conversations[receipt["conversation"]]
        assert viewer in talk.members(), f"{viewer} received {receipt}"
        if receipt["type"] == "conversation_read":
            assert (receipt["unread"], receipt["after"]) == (views.unread_count(talk, viewer), talk.head), receipt
            return
        assert receipt["person"] in talk.members(), f"{viewer} received {receipt} of a former member"
        participant = talk.participants[receipt["person"]]
        assert receipt["up_to"] <= (participant.read if receipt["type"] == "message_read" else participant.delivered), (
            receipt
        )
        seen = [each.sequence for each in views.visible(talk, viewer) if each.sequence <= receipt["up_to"]]
        assert receipt["newest"] == max(seen, default=None), receipt

    # --- Comparing ------------------------------------------------------------------------

    def _replica_agrees(self, device: MachineDevice) -> None:
        viewer, found = device.person, {}
        for body in device.replica.state().values():
            participants = list(body["participants"].values())
            shown = self.translator.conversation({"display_name": None, **body, "participants": participants})
            talk = self.model.conversations[shown["label"]]
            messages = [self.translator.message(message) for message in body["messages"]]
            found[talk.label] = views.as_clients_know(shown, talk, viewer) | {"messages": messages}
        wanted = {}
        for label in views.listed(self.model, viewer):
            talk = self.model.conversations[label]
            messages = [views.message(talk, message, viewer) for message in views.visible(talk, viewer)]
            known = views.as_clients_know(views.body(talk, viewer), talk, viewer)
            wanted[label] = known | {"messages": messages}
        assert_same(found, wanted, f"the reference client {device.key}")

    async def web_agrees(self, device: MachineDevice) -> None:
        """Check what the web client shows, also after it has loaded everything."""
        ids = [self.translator.id_of_conversation(label) for label in views.listed(self.model, device.person)]
        if ids and device.intact and not device.waits:
            await self.comes_to_rest(device)
            self._web_shows(device)
            await self.turns([self.job(device, "scroll", id=id) for id in ids])
            self._web_shows(device)

    def _web_shows(self, device: MachineDevice) -> None:
        shown = self.web.turn([self.job(device, "show")])["replies"][device.key]
        assert_same(*shows(self.translator, self.model, shown, device.person), f"the web client {device.key}")

    def device(self, key: str) -> MachineDevice:
        """Return a device by its key."""
        return next(each for each in self.devices if each.key == key)

    def job(self, device: MachineDevice, do: str, **more: Any) -> Job:
        """Return a job for a device's web client."""
        return {"client": device.key, "do": do, **more}

    def user(self, device: MachineDevice) -> dict[str, Any]:
        """Return a person as their web client knows them from signing in."""
        return {"id": device.device.id, "username": device.device.username, "display_name": device.person}


def in_order(frames: list[Shown]) -> dict[str, list[Shown]]:
    """Return events by conversation, in their order, and receipts, which have no order."""
    received: dict[str, list[Shown]] = {}
    for frame in frames:
        received.setdefault(frame["conversation"] if "sequence" in frame else "receipts", []).append(frame)
    received.get("receipts", []).sort(key=repr)
    return received


def assert_same(mine: Any, theirs: Any, what: str) -> None:
    """Fail with the first thirty differences between the server or a client and the model."""
    if mine != theirs:
        raise AssertionError(f"{what}: is != model's\n" + "\n".join(differences(mine, theirs)[:30]))


def unknown_id() -> str:
    """Return an id that nobody has."""
    return str(uuid4())
