"""Connections in the admin: whose devices were connected, when, and how each connection ended."""

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from accounts.admin import ReadOnlyAdmin
from presence.models import Connection, ServerProcess


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    """Signed-in connections, newest first."""

    ordering = ("-opened_at", "-id")
    list_display = ("opened_at", "user", "session_id", "closed_at", "close_code", "written_until", "server_seen_at")
    list_filter = ("close_code", ("closed_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    searched_ids = ("id", "user_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a person or a connection."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        process = ServerProcess.objects.filter(id=OuterRef("process_id"))
        connections: QuerySet[Connection] = super().get_queryset(request)
        return connections.annotate(seen_at=Subquery(process.values("seen_at")))

    @admin.display(description="server last heard of")
    def server_seen_at(self, connection: Connection) -> object:
        return connection.seen_at  # type: ignore[attr-defined]


@admin.register(ServerProcess)
class ServerProcessAdmin(ReadOnlyAdmin):
    """Server processes, and when each was last heard of."""

    list_display = ("name", "started_at", "seen_at")
    searched_ids = ("id",)
    search_help_text = "The id of a process."
