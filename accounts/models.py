"""People, their device sessions and their blocks. Not here: contacts."""

import hashlib
import unicodedata
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from uuid_utils.compat import uuid7

# Python's `$` also matches before a line break at the end; the look-ahead refuses it.
USERNAME_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$(?!\n)"

DISPLAY_NAME_LENGTH = 64


def new_id() -> uuid.UUID:
    """Make a UUIDv7: unique, and sorted by time."""
    return uuid7()


def token_hash(token: str) -> bytes:
    """Return the hash that is stored of a token. A token has 256 random bits, so a plain hash is safe."""
    return hashlib.sha256(token.encode()).digest()


def password_forms(password: str) -> list[str]:
    """Return the forms in which a password may have been hashed: Unicode's form C (RFC 8265), then as it was typed.

    Keyboards differ in how they write the same character. Before the first form was used, the second was hashed.
    """
    return list(dict.fromkeys((unicodedata.normalize("NFC", password), password)))


class UserManager(BaseUserManager["User"]):
    """Creates users; looks up usernames in any case."""

    def named(self, username: str) -> "User | None":
        """Return the user with this username in any case, by the unique index.

        `iexact` compares in upper case. No index does, and a dotless i becomes an I there: the same person
        under many names, each with sign-in attempts of its own.
        """
        return self.alias(lowered=Lower("username")).filter(lowered=username.lower()).first()

    def get_by_natural_key(self, username: str | None) -> "User":
        user = self.named(username or "")
        if user is None:
            raise self.model.DoesNotExist
        return user

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password (None) they cannot sign in with one."""
        user = self.model(username=username, email=self.normalize_email(fields.pop("email", "")), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user with all rights in the admin."""
        return self.create_user(username, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=64,
        validators=[RegexValidator(USERNAME_PATTERN, "Letters, digits, dot, underscore and hyphen; 1 to 64.")],
    )
    display_name = models.CharField(max_length=DISPLAY_NAME_LENGTH, blank=True)
    email = models.EmailField(blank=True)
    about = models.CharField(max_length=500, blank=True)
    avatar_url = models.URLField(max_length=500, blank=True)
    is_active = models.BooleanField(default=True, help_text="Off: cannot sign in, and every session has ended.")
    is_staff = models.BooleanField(default=False, help_text="May use the admin.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("username",)
        constraints = (
            models.UniqueConstraint(Lower("username"), name="username_unique_in_any_case"),
            models.UniqueConstraint(Lower("email"), name="email_unique_in_any_case", condition=~models.Q(email="")),
        )

    def __str__(self) -> str:
        return self.username

    def set_password(self, raw_password: str | None) -> None:
        """Set the password, in a form that does not depend on the keyboard."""
        super().set_password(raw_password if raw_password is None else password_forms(raw_password)[0])

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether this is the password. The hash is never renewed: that would end all sessions."""
        # Each form is checked, also after the right one, so that the time shows nothing.
        return any([check_password(form, self.password) for form in password_forms(raw_password or "")])

    @property
    def shown_name(self) -> str:
        """The display name, or the username if there is none."""
        return self.display_name or self.username


class DeviceSession(models.Model):
    """One signed-in device of a user, with a bearer token or a browser cookie.

    Only the SHA-256 of the token is stored. A session is valid while it is not revoked, its user is active and the
    user's password has not changed since it was opened. A session without a token also ends with its cookie.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="device_sessions")
    token_hash = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    password_fingerprint = models.CharField(max_length=128, editable=False)
    device_id = models.CharField(max_length=128, blank=True)
    device_name = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["user", "-created_at"], name="session_of_user"),)

    def __str__(self) -> str:
        return f"{self.device_name or 'device'} of {self.user_id}"


class Block(models.Model):
    """One person blocks another: no direct messages, presence or typing between the two."""

    blocker = models.ForeignKey(User, on_delete=models.CASCADE, related_name="blocks", db_index=False)
    blocked = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=["blocker", "blocked"], name="blocked_once"),
            models.CheckConstraint(name="nobody_blocks_themselves", condition=~models.Q(blocker=models.F("blocked"))),
        )

    def __str__(self) -> str:
        return f"{self.blocker_id} blocks {self.blocked_id}"
