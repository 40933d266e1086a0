"""The modules to change, by theme, and the tests that should notice: fast ones, which run in this process."""

MESSAGES = ("tests/messaging/test_send.py", "tests/messaging/test_batches.py", "tests/messaging/test_drafts.py")
GROUPS = ("tests/conversations/test_rights.py", "tests/conversations/test_groups.py")
ANNOUNCED = "tests/conversations/test_announcements.py"
SETTINGS = "tests/conversations/test_settings.py"
BLOCKS, OWN = "tests/conversations/test_blocks.py", "tests/conversations/test_own_settings.py"
MENTIONS = ("tests/messaging/test_mentions.py", "tests/messaging/test_mention_counts.py")
LOCKS = "tests/messaging/test_locks.py"
CALLERS = tuple(f"tests/accounts/test_{name}.py" for name in ("authentication", "services", "sessions"))
FRAMES = ("tests/contracts/test_frames.py", "tests/contracts/test_schemas.py")
CHECKER = ("messages", "order", "receipts", "state", "visibility", "windows", "verdict")

# Theme -> module -> tests; the tests that kill most mutants come first.
THEMES: dict[str, dict[str, tuple[str, ...]]] = {
    "rights": {
        "accounts.authentication": (*CALLERS, "tests/contracts/test_schemas.py"),
        "accounts.selectors": (*CALLERS, "tests/accounts/test_profiles.py", BLOCKS),
        "accounts.socket": ("tests/accounts/test_socket.py",),
        "conversations.selectors.participants": (
            *GROUPS,
            "tests/conversations/test_direct.py",
            "tests/conversations/test_lists.py",
            "tests/conversations/test_catch_up.py",
            BLOCKS,
        ),
        "conversations.selectors.rendering": (OWN, "tests/conversations/test_catch_up.py", ANNOUNCED, *GROUPS),
        "conversations.services.conversations": (
            SETTINGS,
            BLOCKS,
            "tests/conversations/test_direct.py",
            *GROUPS,
            ANNOUNCED,
        ),
        "conversations.services.own_settings": (OWN,),
        "conversations.services.membership": (*GROUPS, ANNOUNCED, "tests/conversations/test_direct.py"),
        "conversations.services.steps": (*GROUPS, LOCKS),
        "messaging.services.change": ("tests/messaging/test_change.py", ANNOUNCED, *GROUPS, LOCKS, BLOCKS, *MENTIONS),
        "messaging.services.steps": ("tests/messaging/test_change.py", ANNOUNCED, LOCKS, BLOCKS, *MENTIONS),
        "realtime.socket.origin": (
            "tests/realtime/test_rate.py",
            "tests/security/test_04_origin_of_the_socket.py::test_a_plain_http_origin_is_refused_behind_tls",
        ),
    },
    "sequence": {
        "conversations.event_log": (
            *MESSAGES,
            *GROUPS,
            ANNOUNCED,
            "tests/conversations/test_catch_up.py",
            "tests/conversations/test_lists.py",
            LOCKS,
        ),
        "conversations.event_registry": (
            "tests/conversations/test_event_kinds.py",
            "tests/conversations/test_catch_up.py",
            ANNOUNCED,
        ),
        "messaging.services.facts": MESSAGES,
        "messaging.services.mentions": (*MENTIONS, "tests/messaging/test_integrity.py"),
        "messaging.services.send": (*MESSAGES, *MENTIONS, ANNOUNCED, BLOCKS, "tests/messaging/test_pipelined_lane.py"),
        "realtime.fanout.topic": (
            "tests/realtime/test_hub.py",
            "tests/realtime/test_hub_members.py",
            "tests/realtime/test_revoked_while_signing_in.py",
        ),
    },
    "notifications": {
        "notifications.decision": ("tests/notifications/test_decision.py",),
        "notifications.do_not_disturb": ("tests/notifications/test_decision.py",),
    },
    "idempotency": {
        "messaging.services.drafts": (*MESSAGES, *MENTIONS),
    },
    "frames": {
        "accounts.frames": FRAMES,
        "conversations.frames": FRAMES,
        "messaging.frames": FRAMES,
        "presence.frames": FRAMES,
        "realtime.wire.bodies": ("tests/realtime/test_bodies.py", *FRAMES),
        "realtime.socket.commands": FRAMES,
        "realtime.wire.frames": FRAMES,
        "realtime.wire.wire_frame": ("tests/realtime/test_sockets.py",),
    },
    "checker": {
        f"tests.campaign.checker.{name}": tuple(
            f"tests/campaign/checker/test_{each}.py"
            for each in (name, *(other for other in CHECKER if other != name), "every_check")
        )
        for name in CHECKER
    },
}
