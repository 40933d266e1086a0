"""Forms of the admin: sign-in, and creating people, changing them and setting their passwords."""

from typing import Any

from django import forms
from django.db import transaction
from unfold.forms import AdminPasswordChangeForm, AuthenticationForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminURLInputWidget

from accounts import services
from accounts.models import User
from accounts.requests import address_of, device_id_of
from realtime.wire.errors import DomainError


class LimitedAuthenticationForm(AuthenticationForm):  # type: ignore[misc]
    """The admin's sign-in, under the same limits as any other sign-in."""

    def clean(self) -> dict[str, Any]:
        username, attempts = self.cleaned_data.get("username"), []
        if username is not None and self.request is not None:
            try:
                attempts = services.count_sign_in(
                    username=username, address=address_of(self.request), device_id=device_id_of(self.request)
                )
            except DomainError as error:
                raise forms.ValidationError(error.message, code=error.code) from error
        cleaned: dict[str, Any] = super().clean()
        for attempt in attempts:
            attempt.take_back()
        return cleaned


class NamedForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form with the display name of a person, which others see."""

    def clean_display_name(self) -> str:
        """Refuse a name that people themselves could not choose."""
        try:
            return services.checked_display_name(self.cleaned_data["display_name"])
        except DomainError as error:
            raise forms.ValidationError(error.message, code=error.code) from error


class PersonForm(NamedForm, UserChangeForm):  # type: ignore[misc]
    """Changes of a person; the password has a form of its own."""

    avatar_url = forms.URLField(max_length=500, required=False, assume_scheme="https", widget=UnfoldAdminURLInputWidget)

    def clean_username(self) -> str:
        """Refuse a username that another person has, in any case."""
        username = str(self.cleaned_data["username"])
        holder = User.objects.named(username)
        if holder is not None and holder.pk != self.instance.pk:
            raise forms.ValidationError("This username is taken.", code="unique")
        return username


class NewPersonForm(NamedForm, UserCreationForm):  # type: ignore[misc]
    """A new person. `UserCreationForm` refuses a username that differs from another only in case."""

    class Meta:
        model = User
        fields = ("username", "display_name", "email")


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """A new password for a person; saving it ends all their sessions."""

    def save(self, commit: bool = True) -> User:
        with transaction.atomic():
            user: User = super().save(commit)
            services.revoke_all_sessions(user_id=user.pk)
        return user
