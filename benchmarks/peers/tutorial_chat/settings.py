"""Settings; addresses of the stores come from the environment."""

import os

SECRET_KEY = "the tutorial's"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "benchmarks.peers.tutorial_chat",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "tutorial",
        "HOST": "127.0.0.1",
        "PORT": os.environ["TUTORIAL_DATABASE_PORT"],
        "USER": os.environ["TUTORIAL_DATABASE_USER"],
        "PASSWORD": os.environ["TUTORIAL_DATABASE_PASSWORD"],
        "CONN_MAX_AGE": None,  # with Django's default every message opens a connection, at half the speed
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ["TUTORIAL_CHANNEL_LAYER"],
        # redis-py ends a read after 5 s, as long as the layer waits for a message: idle sockets would be closed.
        "CONFIG": {"hosts": [{"address": os.environ["TUTORIAL_REDIS_URL"], "socket_timeout": None}]},
    }
}
