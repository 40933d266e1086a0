"""`manage.py send_test_push USERNAME`: a visible push to every device of a person, with each outcome."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from notifications.decision import PushOutcome
from notifications.models import Delivery
from notifications.services.deliver import deliver
from notifications.services.trial import trial_pushes


class Command(BaseCommand):
    """Sends in this process, without the queue and whatever the preferences; exits with 1 if a push was not taken."""

    help = "Push a test notification to every device of a person, and show what each provider answered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.named(options["username"])
        if user is None:
            raise CommandError(f"nobody is called {options['username']!r}")
        pushes = trial_pushes(user_id=user.pk)
        if not pushes:
            raise CommandError(f"{user.username} has no device that is pushed to: none has registered a token")
        failed = 0
        for push in pushes:
            failed += deliver(push.pk) is not PushOutcome.SENT
            push = Delivery.objects.get(pk=push.pk)
            reason = f" ({push.reason})" if push.reason else ""
            self.stdout.write(f"{push.get_provider_display()} {push.device_id}: {push.get_outcome_display()}{reason}")
        if failed:
            raise CommandError(f"{failed} of {len(pushes)} were not taken")
