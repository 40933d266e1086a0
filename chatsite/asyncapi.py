"""The AsyncAPI document of `/ws`, made from the commands and frames that the apps declare.

What a frame looks like comes from its struct, as for validation and encoding; what answers a command comes from its
declaration. Only how to sign in is here. The close codes have a list of their own (`close_codes`).
"""

import inspect
from typing import Any

import msgspec

from realtime.registry import CommandDeclaration, registry
from realtime.socket.consumer import PROTOCOL  # which also registers the socket's own commands and frames
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Error

CHANNEL = "socket"

DESCRIPTION = """\
The socket of the Chatsite messaging server: text frames, one JSON object each, whose `type` names the
message. REST, the history and the event log are described in `openapi.json`; `protocol.md` tells how a
client puts both together.

A command may carry an `id`; the answer to it, `error` included, carries the same. Unknown fields in a
command are an error; clients ignore unknown fields and unknown frame types.

**Signing in.** The upgrade carries `Authorization: Bearer <token>`, or the browser's session cookie (its
Origin must then be this host or an allowed one). Without either the first frame is `auth`, sent within
`auth_seconds` of `GET /api/v1/limits`. The server answers `connected`, or closes with 4401."""

SIGN_IN: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token of a device session, at the upgrade."},
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The browser's session, at the upgrade; the Origin must be allowed.",
    },
}


def document() -> dict[str, Any]:
    """Return the AsyncAPI document as plain JSON types."""
    commands = dict(sorted(registry.commands.items()))
    frames = dict(sorted(registry.frames.items()))
    tagged = [*((tag, command.frame) for tag, command in commands.items()), *frames.items()]
    kinds = [kind for _, kind in tagged]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    messages = {kind.__name__: _message(tag, kind) for tag, kind in tagged}
    if len(messages) != len(kinds):
        raise RuntimeError("two frames have a class of the same name")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Chatsite", "version": str(PROTOCOL), "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "chatsite": {
                "host": "localhost:8000",
                "protocol": "ws",
                "description": "`wss` behind a proxy that ends TLS.",
                "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in SIGN_IN],
            }
        },
        "channels": {
            CHANNEL: {
                "address": "/ws",
                "title": "The socket",
                "description": _close_codes(),
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
                "x-close-codes": {str(code.value): _explained(code) for code in CloseCode},
            }
        },
        "operations": {
            **{f"receive_{tag}": _command(command) for tag, command in commands.items()},
            **{f"send_{tag}": _operation("send", kind) for tag, kind in frames.items()},
        },
        "components": {
            "messages": messages,
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": SIGN_IN,
        },
    }


def _message(tag: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": tag,
        "title": tag,
        "summary": inspect.cleandoc(kind.__doc__ or ""),
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _operation(action: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return what the server does with a message: receive a command, send a frame."""
    return {"action": action, "channel": {"$ref": f"#/channels/{CHANNEL}"}, "messages": [_on_channel(kind)]}


def _command(command: CommandDeclaration) -> dict[str, Any]:
    answers: list[type[msgspec.Struct]] = [*command.answers, Error]
    messages = [_on_channel(answer) for answer in answers]
    reply = {"channel": {"$ref": f"#/channels/{CHANNEL}"}, "messages": messages}
    return _operation("receive", command.frame) | {"reply": reply}


def _on_channel(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{kind.__name__}"}


def _close_codes() -> str:
    rows = "\n".join(f"| {code.value} | {code.meaning} | {code.advice} |" for code in CloseCode)
    return f"Close codes:\n\n| code | meaning | what the client does |\n| --- | --- | --- |\n{rows}"


def _explained(code: CloseCode) -> str:
    """Return the meaning and the advice as sentences."""
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in (code.meaning, code.advice))
