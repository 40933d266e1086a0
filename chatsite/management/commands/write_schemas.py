"""`manage.py write_schemas`: the published schemas, docs/openapi.json and docs/asyncapi.json."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from drf_spectacular.generators import SchemaGenerator

from chatsite import asyncapi


class Command(BaseCommand):
    """Writes the schemas that follow from the code; a test fails while the files differ."""

    help = "Write docs/openapi.json and docs/asyncapi.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, text in schemas().items():
            path = options["folder"] / name
            path.write_text(text, encoding="utf-8")
            self.stdout.write(str(path))


def schemas() -> dict[str, str]:
    """Return the files' texts by name."""
    openapi = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return {
        name: _text(content) for name, content in (("openapi.json", openapi), ("asyncapi.json", asyncapi.document()))
    }


def _text(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
