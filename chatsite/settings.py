"""Settings, all from the environment or a `.env` file beside `manage.py`.

Two profiles: `embedded` (SQLite, everything in one process, nothing to install) and
`production` (PostgreSQL, Redis, a broker). `docs/operations.md` lists the variables.
"""

import os
from pathlib import Path

import environ
from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from kombu.entity import Exchange, Queue

from chatsite.configuration import notifying, production, stores
from chatsite.configuration.limits import Limits
from chatsite.configuration.secret import kept_secret, kept_vapid_key

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

PROFILE = env.str("CHATSITE_PROFILE", "embedded")
if PROFILE not in ("embedded", "production"):
    raise ImproperlyConfigured(f"CHATSITE_PROFILE is {PROFILE!r}: it must be embedded or production")
EMBEDDED = PROFILE == "embedded"
TESTING = env.bool("CHATSITE_TESTING", False)
# Servers and workers bound the time of every statement; commands such as migrate must not be bounded.
ROLE = env.str("CHATSITE_ROLE", "command")
SERVER_ROLE = ROLE == "server"
CRASH_POINT = env.str("CHATSITE_CRASH_POINT", "")
LIMITS = Limits.from_json(env.str("CHATSITE_LIMITS", "{}"))
SIGN_UP_ENABLED = env.bool("SIGN_UP_ENABLED", True)
# Names under which a stranger could pass for staff or for everybody, in lower case. Staff can create them in the admin.
RESERVED_USERNAMES = frozenset(
    name.lower()
    for name in env.list(
        "RESERVED_USERNAMES",
        default=[
            *("admin", "administrator", "root", "superuser", "staff", "moderator", "mod", "owner", "operator"),
            *("support", "help", "helpdesk", "security", "abuse", "info", "contact", "billing"),
            *("postmaster", "hostmaster", "webmaster", "noreply", "no-reply", "mail", "mailer-daemon"),
            *("system", "server", "bot", "chatsite", "service", "api", "www"),
            *("all", "everyone", "everybody", "here", "channel", "group", "me", "you", "nobody", "someone", "somebody"),
            *("anonymous", "deleted", "unknown", "null", "undefined", "none"),
        ],
    )
)

DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var")))
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or (kept_secret(DATA_DIR) if EMBEDDED else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if EMBEDDED else [])
ALLOWED_ORIGINS = [origin.rstrip("/").lower() for origin in env.list("ALLOWED_ORIGINS", default=[])]
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
TRUSTED_PROXIES = env.str("TRUSTED_PROXIES", "127.0.0.1")

INSTALLED_APPS = [
    # Only for `runserver`: a server process would spend a fifth of its start on loading it.
    *([] if SERVER_ROLE else ["daphne"]),
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "realtime",
    "accounts",
    "conversations",
    "messaging",
    "presence",
    "push_notifications",
    "notifications",
    "chatsite",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Stores -----------------------------------------------------------------------------

DATABASE_URL = env.str("DATABASE_URL", f"sqlite:///{DATA_DIR / 'chatsite.sqlite3'}" if EMBEDDED else "")
REDIS_URL = env.str("REDIS_URL", "")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", REDIS_URL or "memory://localhost/")

if not EMBEDDED:
    production.refuse_unsafe(
        debug=DEBUG,
        secret_key=SECRET_KEY,
        allowed_hosts=ALLOWED_HOSTS,
        allowed_origins=ALLOWED_ORIGINS,
        database_url=DATABASE_URL,
        redis_url=REDIS_URL,
        crash_point=CRASH_POINT,
        testing=TESTING,
    )

DATA_DIR.mkdir(parents=True, exist_ok=True)
DATABASES = {
    "default": stores.database(DATABASE_URL, role=ROLE, pool_size=env.int("DATABASE_POOL_SIZE", 20)),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_THREADS = env.int("DATABASE_THREADS", 6)
# A server process that is not ready after so long, or does not answer its main process any more, is replaced.
PROCESS_ANSWER_SECONDS = env.int("PROCESS_ANSWER_SECONDS", 5)
# Lanes of the write path, see realtime/database/lanes.py. Receipts have one of their own.
WRITE_LANES = env.int("WRITE_LANES", 2)
CHANNEL_LAYERS = {"default": stores.channel_layer(REDIS_URL)}
CACHES = {"default": stores.cache(REDIS_URL)}

# --- People -----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
# A constraint on Lower("username") makes usernames unique; the check does not see it.
SILENCED_SYSTEM_CHECKS = ["auth.E003"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "accounts.passwords.EndsSessions"}]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

SECURE_ONLY = not EMBEDDED and not TESTING
SESSION_ENGINE = "accounts.browser_sessions"
SESSION_COOKIE_SECURE = SECURE_ONLY
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_SECURE = SECURE_ONLY
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "https:"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'"],
        "manifest-src": ["'self'"],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
    # The admin and the page to try the API have inline scripts and styles.
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/v1/schema/"],
}

# --- REST -------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BearerAuthentication",
        "accounts.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["realtime.wire.rest.BodyRenderer"],
    "DEFAULT_PARSER_CLASSES": ["realtime.wire.rest.BodyParser"],
    "DEFAULT_SCHEMA_CLASS": "realtime.wire.openapi.Operations",
    "EXCEPTION_HANDLER": "realtime.wire.rest.exception_response",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Chatsite",
    "DESCRIPTION": "REST interface of the Chatsite messaging server. The socket is described in asyncapi.json.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
    "COMPONENT_SPLIT_PATCH": False,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["realtime.wire.openapi.complete_schema"],
}

# --- Notifications ----------------------------------------------------------------------

# The public address of this server: for links in mail and as the contact for push services.
PUBLIC_URL = env.str("PUBLIC_URL", ALLOWED_ORIGINS[0] if ALLOWED_ORIGINS else "http://localhost:8000").rstrip("/")
NOTIFICATION_TIMINGS = notifying.timings(env)
PROVIDERS = notifying.providers(env, kept_vapid_key=kept_vapid_key(DATA_DIR) if EMBEDDED else "", public_url=PUBLIC_URL)
PUSH_SWEEP_SECONDS = env.float("PUSH_SWEEP_SECONDS", 1.0)
DELIVERY_RECORD_DAYS = env.int("DELIVERY_RECORD_DAYS", 30)
EMAIL_URL = env.str("EMAIL_URL", "")
MAIL_ENABLED = bool(EMAIL_URL)
if MAIL_ENABLED:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", "Chatsite <chatsite@localhost>")
DIGEST_AFTER_MINUTES = env.float("DIGEST_AFTER_MINUTES", 15)
DIGEST_SWEEP_SECONDS = max(1, min(30, DIGEST_AFTER_MINUTES * 60 / 4))
DIGEST_PERIOD_MINUTES = env.float("DIGEST_PERIOD_MINUTES", 240)
# Only the tables of this app are used; a token is unique in each.
PUSH_NOTIFICATIONS_SETTINGS = {"UNIQUE_REG_ID": True}

# --- The rest ---------------------------------------------------------------------------

CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Remote control is off: it needs a queue with the host's name for each worker, so that a second worker on a host could
# not start with RabbitMQ.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
# Threads of a worker; the embedded one shares its process with the server.
WORKER_CONCURRENCY = 2 if EMBEDDED else env.int("WORKER_CONCURRENCY", 16)
# Of 19. A push may wait some milliseconds for a processor; a message must not.
WORKER_NICENESS = env.int("WORKER_NICENESS", 10)
CELERY_TASK_DEFAULT_QUEUE = "chatsite"
# Sweeps have a queue of their own, so that they do not wait behind a thousand pushes or mails. Quorum queues survive
# the loss of a RabbitMQ node; other brokers ignore the argument.
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name, queue_arguments={"x-queue-type": "quorum"})
    for name in (CELERY_TASK_DEFAULT_QUEUE, "chatsite.sweeps")
]
CELERY_TASK_ROUTES = {
    f"notifications.tasks.{task}": {"queue": "chatsite.sweeps"} for task in ("sweep", "sweep_digests", "fan_out")
}
CELERY_BROKER_TRANSPORT_OPTIONS = stores.broker_options(CELERY_BROKER_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Seconds. A silent connection is noticed after two of these; Celery's default is two minutes.
CELERY_BROKER_HEARTBEAT = 10
# Retry for ever: by default Celery ends after a hundred attempts.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Keeps no file: every worker has a beat, and every periodic task may be asked for twice.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "purge-sessions": {"task": "accounts.tasks.purge_sessions", "schedule": crontab(minute="7", hour="*/6")},
    # A sweep that no worker took within seconds may expire: the next one does the same.
    "sweep-notifications": {
        "task": "notifications.tasks.sweep",
        "schedule": PUSH_SWEEP_SECONDS,
        "options": {"expires": 5},
    },
    "sweep-digests": {
        "task": "notifications.tasks.sweep_digests",
        "schedule": DIGEST_SWEEP_SECONDS,
        "options": {"expires": 25},
    },
    "purge-connections": {"task": "presence.tasks.purge", "schedule": crontab(minute="37")},
    "purge-notifications": {"task": "notifications.tasks.purge", "schedule": crontab(minute="23")},
}

STATIC_URL = "static/"
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Serve static files from their folders, without `collectstatic`.
WHITENOISE_USE_FINDERS = True
# File names carry no hash. Browsers revalidate each module, so that they never mix old with new ones.
WHITENOISE_MAX_AGE = 0

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

UNFOLD = {"SITE_TITLE": "Chatsite", "SITE_HEADER": "Chatsite", "SITE_SYMBOL": "forum"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "WARNING")},
    "loggers": {
        "chatsite": {"level": env.str("LOG_LEVEL", "INFO")},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # A refused request concerns the client, not the operator.
        "django.request": {"level": "ERROR"},
        # It logs a traceback a second while Redis is away; `chatsite.door` logs that in one line.
        "channels_redis.pubsub": {"level": "CRITICAL", "handlers": ["console"], "propagate": False},
    },
}

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
