"""The model beside the server: does each step with both, and compares everything that both show."""

from collections import Counter
from typing import Any
from uuid import uuid4

from tests.harness.listening import Frame
from tests.harness.replica import checksum
from tests.harness.snapshots import differences
from tests.machine import views
from tests.machine.client import MachineDevice, is_told
from tests.machine.facts import EventNews, Shown
from tests.machine.local import sign_in, sign_up
from tests.machine.model import Model
from tests.machine.rights import Refusal
from tests.machine.web import Job, WebClients, shows
from tests.machine.words import Words

PEOPLE = ["ana", "ben", "cleo", "dan"]
MOST_TURNS = 60


class World:
    """Four people, their devices, and the model of what they do."""

    def __init__(self, web: WebClients, tally: Counter[str]) -> None:
        self.tally = tally
        self.model = Model(PEOPLE)
        self.words = Words()
        self.devices: list[MachineDevice] = []
        self.persons: dict[str, Any] = {}
        self.web = web

    async def begins(self) -> None:
        """Sign everybody up."""
        for name in PEOPLE:
            person = self.persons[name] = await sign_up(name)
            self.words.people[person.id] = name
            await self.signs_in(name)

    async def ends(self) -> None:
        """Hang up everywhere."""
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

    # --- Hearing --------------------------------------------------------------------------

    async def spreads(self) -> None:
        """Let what happened reach every open socket: exactly what its person may see, in order, and nothing else."""
        news = self.model.take_news()
        jobs: list[Job] = []
        answered = []
        for each in self.devices:
            if each.is_connected:
                wanted = self._frames_for(each, news)
                frames, pong = await each.hears(len(wanted))
                heard = [self.words.frame(frame) for frame in frames if is_told(frame)]
                assert_same(in_order(heard), in_order(wanted), f"{each.key} heard")
                self._agrees_on_heads(each, pong)
                arrived = await self._passes_on(each, each.through_weather(frames))
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
                unread = views.unread_count(talk, each.person)
                wanted += views.mark_frames(each, device.person, device.key, unread)
        return wanted

    def _agrees_on_heads(self, device: MachineDevice, pong: Frame) -> None:
        heads = {
            self.words.id_of_conversation(label): head for label, head in views.heads(self.model, device.person).items()
        }
        assert pong["heads"] == {"count": len(heads), "checksum": checksum(heads)}, f"heads of {device.key}: {heads}"

    async def _passes_on(self, device: MachineDevice, frames: list[Frame]) -> list[Job]:
        """Give frames to the reference client; return the jobs that give them to the web client."""
        for frame in frames:
            await device.replica.applies(frame)
        return [self.job(device, "frame", frame=frame) for frame in frames]

    async def turns(self, jobs: list[Job]) -> None:
        """Let the web clients do jobs, and fetch for them what they want, until they want nothing."""
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
                    # What somebody looks at is waited for; repairs go on beside what happens.
                    if device.slow and not ask["path"].endswith(("/messages", "/conversations")):
                        device.slow -= 1
                        device.met["slow"] += 1
                        device.answers.append(answer)
                    else:
                        jobs.append(answer)
            jobs += [{"client": key, "do": "wait"} for key in turned["waiting"] if not jobs]
            if not jobs:
                return
        raise AssertionError(f"the web clients do not come to rest: {jobs}")

    async def comes_to_rest(self, device: MachineDevice) -> None:
        """Let a web client get all answers that it waits for."""
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
        """Send `sync`, see that the answer is what the model says, and return all that came."""
        frames = await device.asks("sync", fields)
        cursors = {self.words.conversations[id]: cursor for id, cursor in fields["cursors"].items()}
        told = [self.words.frame(frame) for frame in frames if is_told(frame)]
        self.agrees_on_catch_up(device.person, cursors, told, frames[-1])
        return frames

    def agrees_on_catch_up(self, viewer: str, cursors: dict[str, int], told: list[Shown], end: Frame) -> None:
        """See that events, heads and `resync` of a catch-up are the model's, and marks no news from elsewhere."""
        wanted, resync = [], set()
        for label, cursor in cursors.items():
            try:
                wanted += views.events(self.model, viewer, label, cursor)
            except Refusal as refusal:
                if refusal.code == "resync_required":
                    resync.add(label)
        events = [frame for frame in told if "sequence" in frame]
        assert_same(in_order(events), in_order(wanted), f"{viewer} caught up")
        assert self.words.heads(end["heads"]) == views.heads(self.model, viewer)
        assert {self.words.conversations[id] for id in end["resync"]} == resync
        for frame in told:
            if "sequence" not in frame:
                self._is_true(viewer, frame)

    def _is_true(self, viewer: str, mark: Shown) -> None:
        talk = self.model.conversations[mark["conversation"]]
        assert viewer in talk.members(), f"{viewer} was told {mark}"
        if mark["type"] == "conversation_read":
            assert mark["unread"] == views.unread_count(talk, viewer), mark
            return
        assert mark["person"] in talk.members(), f"{viewer} was told {mark} of somebody who left"
        place = talk.places[mark["person"]]
        assert mark["up_to"] <= (place.read if mark["type"] == "message_read" else place.delivered), mark
        seen = [each.sequence for each in views.visible(talk, viewer) if each.sequence <= mark["up_to"]]
        assert mark["newest"] == max(seen, default=None), mark

    # --- Comparing ------------------------------------------------------------------------

    def _replica_agrees(self, device: MachineDevice) -> None:
        viewer, found = device.person, {}
        for body in device.replica.state().values():
            participants = list(body["participants"].values())
            shown = self.words.conversation({"display_name": None, **body, "participants": participants})
            talk = self.model.conversations[shown["label"]]
            messages = [self.words.message(message) for message in body["messages"]]
            found[talk.label] = views.as_clients_know(shown, talk, viewer) | {"messages": messages}
        wanted = {}
        for label in views.listed(self.model, viewer):
            talk = self.model.conversations[label]
            messages = [views.message(talk, message, viewer) for message in views.visible(talk, viewer)]
            known = views.as_clients_know(views.body(talk, viewer), talk, viewer)
            wanted[label] = known | {"messages": messages}
        assert_same(found, wanted, f"the reference client {device.key}")

    async def web_agrees(self, device: MachineDevice) -> None:
        """See that the web client shows what it must, after scrolling back to the beginning."""
        ids = [self.words.id_of_conversation(label) for label in views.listed(self.model, device.person)]
        if ids and device.intact and not device.waits:
            await self.comes_to_rest(device)
            self._web_shows(device)
            await self.turns([self.job(device, "scroll", id=id) for id in ids])
            self._web_shows(device)

    def _web_shows(self, device: MachineDevice) -> None:
        shown = self.web.turn([self.job(device, "show")])["replies"][device.key]
        assert_same(*shows(self.words, self.model, shown, device.person), f"the web client {device.key}")

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
    """Return numbered frames by conversation, in their order, and marks, which have none."""
    told: dict[str, list[Shown]] = {}
    for frame in frames:
        told.setdefault(frame["conversation"] if "sequence" in frame else "marks", []).append(frame)
    told.get("marks", []).sort(key=repr)
    return told


def assert_same(mine: Any, theirs: Any, what: str) -> None:
    """Fail with every difference between what is and what the model says."""
    if mine != theirs:
        raise AssertionError(f"{what}: is != model's\n" + "\n".join(differences(mine, theirs)[:30]))


def unknown_id() -> str:
    """Return an id that nobody has."""
    return str(uuid4())
