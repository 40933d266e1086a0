"""People and their device sessions in the admin, and the read-only base of the apps above.

Services make the changes: a person who is deactivated or gets another password loses every session at once. Token
hashes are never loaded.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.cache import never_cache
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from accounts import services
from accounts.forms import LimitedAuthenticationForm, NewPasswordForm, NewPersonForm, PersonForm
from accounts.models import Block, DeviceSession, User
from accounts.selectors import ran_out_by


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows that only services write.

    Lists may be huge, so they are ordered by primary key, newest first, and never counted. Search uses only columns
    with an index: it compares ids (`searched_ids`), or the person with exactly that username (`searched_users`).
    """

    list_per_page = 50
    ordering: tuple[str, ...] = ("-pk",)
    sortable_by = ()
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # Shows the search box; `get_search_results` ignores the value.
    search_fields = ("pk",)
    searched_ids: tuple[str, ...] = ()
    searched_users: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find rows by a whole id or by a whole username."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(pk__in=[])
        names = self.searched_ids
        try:
            value: UUID | User | None = UUID(term)
        except ValueError:
            value = User.objects.named(term)
            names = self.searched_users
        if value is not None:
            for name in names:
                wanted |= Q(**{name: value})
        return queryset.filter(wanted), False


# --- People -------------------------------------------------------------------------------


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """People. They cannot be deleted, since their messages belong to their conversations; deactivate them instead."""

    form = PersonForm
    add_form = NewPersonForm
    change_password_form = NewPasswordForm
    list_display = ("username", "display_name", "email", "is_active", "is_staff", "created_at", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", ("created_at", admin.DateFieldListFilter))
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    date_hierarchy = "created_at"
    search_fields = ("username", "display_name", "email", "=id")
    readonly_fields = ("id", "created_at", "last_login")
    # Django's selector with two boxes side by side would be wider than the page.
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("id", "username", "password")}),
        ("Profile", {"fields": ("display_name", "email", "about", "avatar_url")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("created_at", "last_login")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "display_name", "email", "usable_password", "password1", "password2")}),
    )
    actions = ("deactivate", "reactivate", "revoke_sessions")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Staff who may change a superuser could become one.
        allowed = super().has_change_permission(request, obj)
        return bool(allowed and (obj is None or not obj.is_superuser or request.user.is_superuser))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_staff", "is_superuser", "groups", "user_permissions")

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        """Save; activating or deactivating a person ends all their sessions, as the actions do."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if change and (not obj.is_active or "is_active" in form.changed_data):
                services.revoke_all_sessions(user_id=obj.pk)

    @admin.action(description="Deactivate: end all sessions, no sign-in", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        others = [user for user in self._in_reach(request, queryset) if user.pk != request.user.pk]
        for user in others:
            services.deactivate_user(user_id=user.pk)
        self._report(request, others, "Deactivated", queryset.count() - len(others))

    @admin.action(description="Reactivate: may sign in again", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._in_reach(request, queryset)
        for user in users:
            services.reactivate_user(user_id=user.pk)
        self._report(request, users, "Reactivated", queryset.count() - len(users))

    @admin.action(description="Revoke all sessions", permissions=["change"])
    def revoke_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._in_reach(request, queryset)
        for user in users:
            services.revoke_all_sessions(user_id=user.pk)
        self._report(request, users, "Sessions revoked", queryset.count() - len(users))

    def _in_reach(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        return [user for user in queryset if self.has_change_permission(request, user)]

    def _report(self, request: HttpRequest, users: Iterable[User], done: str, left_out: int) -> None:
        done_to = list(users)
        for user in done_to:
            self.log_change(request, user, f"{done}.")
        self.message_user(request, f"{done}: {len(done_to)}.", messages.SUCCESS if done_to else messages.WARNING)
        if left_out:
            self.message_user(request, f"Left as they are (yourself, or superusers): {left_out}.", messages.WARNING)


# --- Device sessions ----------------------------------------------------------------------


class ValidFilter(admin.SimpleListFilter):
    """Whether a session can be used, as the table has it; a new password ends it, too."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("living", "Living"),
            ("revoked", "Revoked"),
            ("ran_out", "Cookie ran out"),
            ("deactivated", "Of deactivated people"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "living":
                return queryset.filter(revoked_at=None, user__is_active=True).exclude(ran_out_by(timezone.now()))
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "ran_out":
                return queryset.filter(ran_out_by(timezone.now()))
            case "deactivated":
                return queryset.filter(user__is_active=False)
        return queryset


@admin.register(DeviceSession)
class DeviceSessionAdmin(ReadOnlyAdmin):
    """Where people are signed in. Tokens cannot be shown: only their hashes are stored, and these are not loaded."""

    list_display = ("user", "device_name", "device_id", "by_token", "created_at", "last_used_at", "revoked_at")
    list_filter = (ValidFilter,)
    list_select_related = ("user",)
    searched_ids = ("id", "user_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a session or a person."
    fields = ("id", "user", "device_name", "device_id", "by_token", "created_at", "last_used_at", "revoked_at")
    readonly_fields = fields
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceSession]:
        has_token = ExpressionWrapper(Q(token_hash__isnull=False), output_field=BooleanField())
        hidden = ("token_hash", "password_fingerprint")
        sessions: QuerySet[DeviceSession] = super().get_queryset(request)
        return sessions.annotate(has_token=has_token).defer(*hidden)

    @admin.display(description="bearer token", boolean=True)
    def by_token(self, session: Any) -> bool:
        return bool(session.has_token)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_devicesession")

    @admin.action(description="Revoke: the session ends, its sockets close", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[DeviceSession]) -> None:
        sessions = list(queryset.filter(revoked_at=None))
        for session in sessions:
            services.revoke_session(user_id=session.user_id, session_id=session.pk)
            self.log_change(request, session, "Revoked.")
        self.message_user(request, f"Revoked: {len(sessions)}.", messages.SUCCESS if sessions else messages.WARNING)


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    """Who blocks whom."""

    list_display = ("blocker", "blocked", "created_at")
    list_select_related = ("blocker", "blocked")
    searched_ids = ("blocker_id", "blocked_id")
    searched_users = ("blocker", "blocked")
    search_help_text = "A whole username, or the id of a person."


admin.site.unregister(Group)
admin.site.login_form = LimitedAuthenticationForm
# By default browsers may cache these pages, which show who is signed in.
admin.site.password_change = never_cache(admin.site.password_change)  # type: ignore[method-assign]
admin.site.password_change_done = never_cache(admin.site.password_change_done)  # type: ignore[method-assign]


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Groups of staff and their rights, in the look of the other pages."""
