"""`manage.py create_token`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import selectors
from tests.making import person

pytestmark = pytest.mark.django_db


def test_only_a_working_token_is_printed() -> None:
    ana, out = person("ana"), StringIO()
    call_command("create_token", "ANA", "--device-name", "cron", stdout=out)
    session = selectors.session_of_token(out.getvalue().strip())
    assert session is not None
    assert (session.user, session.device_name) == (ana, "cron")


def test_an_unknown_or_deactivated_username_is_an_error() -> None:
    person("gone", is_active=False)
    for username in ("nobody", "gone"):
        with pytest.raises(CommandError, match=username):
            call_command("create_token", username)
