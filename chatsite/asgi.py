"""The ASGI application: HTTP to Django, `/ws` to the socket, lifespan to start and drain."""

import os
import warnings
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
os.environ.setdefault("CHATSITE_ROLE", "server")

from channels.routing import ProtocolTypeRouter
from django import setup

# WhiteNoise reads its files synchronously. They are small and in the page cache.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

setup(set_prefix=False)

from chatsite.server.body_limit import with_body_limit  # noqa: E402 - apps must be ready
from chatsite.server.cookies import read_cookies_in_linear_time  # noqa: E402 - apps must be ready
from chatsite.server.lifespan import lifespan  # noqa: E402 - apps must be ready
from chatsite.server.one_hop import OneHopHandler  # noqa: E402 - apps must be ready
from realtime.fanout.outbox import Send  # noqa: E402
from realtime.socket.connection import Receive  # noqa: E402
from realtime.socket.consumer import refuse_path, socket_application  # noqa: E402

read_cookies_in_linear_time()


async def sockets(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve upgrades at /ws and nowhere else."""
    await (socket_application if scope["path"] == "/ws" else refuse_path)(scope, receive, send)


application = ProtocolTypeRouter({"http": with_body_limit(OneHopHandler()), "websocket": sockets, "lifespan": lifespan})
