"""A device that connects too often is refused, with the time to wait, before the connection causes any work."""

import contextlib

from tests.harness.people import People
from tests.harness.raw_frames import TEXT, frame, upgrade
from tests.harness.raw_socket import RawSocket

PER_MINUTE, BURST = 2, 3


async def test_connecting_too_often_is_refused_with_retry_after(starts_site) -> None:
    site = starts_site("embedded", limits={"connects_per_minute": PER_MINUTE, "connects_burst": BURST})
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        port = ana.server.port
        for _ in range(BURST):
            with RawSocket(port) as socket:
                socket.upgrades(ana.token)
        with RawSocket(port) as socket:
            status, headers = socket.asks(upgrade(port, {"authorization": f"Bearer {ana.token}"}))
            assert status == 429
            assert 0 < int(headers["retry-after"]) <= 60 / PER_MINUTE
            socket.reads_to_the_end()
        with RawSocket(port) as socket:
            socket.upgrades(ben.token)


async def test_simultaneous_connects_share_one_burst(starts_site) -> None:
    site = starts_site("embedded", limits={"connects_per_minute": PER_MINUTE, "connects_burst": BURST})
    async with People(site)("ana", connected=False) as (ana,):
        port = ana.server.port
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(RawSocket(port)) for _ in range(5 * BURST)]
            for socket in sockets:
                socket.sends(upgrade(port, {"authorization": f"Bearer {ana.token}"}))
            answers = [socket.asks(b"")[0] for socket in sockets]
        assert sorted(answers) == [101] * BURST + [429] * (len(sockets) - BURST)


async def test_a_client_closed_for_an_oversize_frame_waits_longer(starts_site) -> None:
    site = starts_site("embedded", limits={"connects_per_minute": PER_MINUTE, "connects_burst": 20})
    async with People(site)("ana", connected=False) as (ana,):
        port = ana.server.port
        for _ in range(2):
            with RawSocket(port) as socket:
                socket.upgrades(ana.token)
                socket.sends(frame(TEXT, announced=2**30))
                assert socket.ending().code == 1009
        with RawSocket(port) as socket:
            assert socket.asks(upgrade(port, {"authorization": f"Bearer {ana.token}"}))[0] == 429
