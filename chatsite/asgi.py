"""The ASGI application: HTTP to Django, `/ws` to the socket, lifespan to start and drain."""

import os
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
os.environ.setdefault("CHATSITE_ROLE", "server")

from channels.routing import ProtocolTypeRouter, URLRouter
from django import setup
from django.urls import path

# WhiteNoise reads its files synchronously; they are small, and in the page cache.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

setup(set_prefix=False)

from chatsite.body_limit import with_body_limit  # noqa: E402 - apps must be ready
from chatsite.lifespan import lifespan  # noqa: E402 - apps must be ready
from chatsite.one_hop import OneHopHandler  # noqa: E402 - apps must be ready
from realtime.consumer import refuse_path, socket_application  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": with_body_limit(OneHopHandler()),
        "websocket": URLRouter(
            [
                path("ws", socket_application),  # type: ignore[arg-type] # Channels routes ASGI applications so
                path("<path:path>", refuse_path),  # type: ignore[arg-type]
                path("", refuse_path),  # type: ignore[arg-type]
            ]
        ),
        "lifespan": lifespan,
    }
)
