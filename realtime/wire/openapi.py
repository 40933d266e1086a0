"""Schemas of msgspec structs for the OpenAPI file: one definition validates and documents a body."""

from typing import Any, ClassVar

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema

from realtime.wire.rest import ErrorBody


class Operations(AutoSchema):
    """Names operations of the OpenAPI file after view and method: `ConversationsView.get`."""

    def get_operation_id(self) -> str:
        return f"{type(self.view).__name__}.{self.method.lower()}"


class StructSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Lets views name msgspec structs in `extend_schema`; `complete_schema` fills their schemas in."""

    target_class = msgspec.Struct
    match_subclasses = True
    named: ClassVar[set[type[msgspec.Struct]]] = set()

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        self.named.add(self.target if isinstance(self.target, type) else type(self.target))
        # A component without properties would be dropped.
        return {"type": "object", "properties": {"filled_in": {}}}


def complete_schema(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """Fill in the schemas of structs and the error answer of every operation; a hook of drf-spectacular."""
    kinds: list[type[msgspec.Struct]] = [ErrorBody, *sorted(StructSchema.named, key=lambda kind: kind.__name__)]
    named, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for kind, schema in zip(kinds, named, strict=True):
        item = getattr(kind, "array_of", None)
        if item is not None:
            components[kind.__name__] = {"type": "array", "items": {"$ref": f"#/components/schemas/{item.__name__}"}}
        else:
            components.setdefault(kind.__name__, schema)
    result["components"]["schemas"] |= components
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            operation["responses"]["4XX"] = {"description": "Refused; `code` says why.", "content": content}
            operation["responses"]["503"] = {"description": "Send it again after a while.", "content": content}
    return result
