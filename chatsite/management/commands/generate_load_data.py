"""`manage.py generate_load_data`: any number of invented people and messages, for measuring large tables."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from benchmarks.load_data import NotEmpty, Plan, write

SAY_EVERY_SECONDS = 2.0


class Command(BaseCommand):
    """Fills an empty database. Nobody in it can sign in, except with a token of `create_token`."""

    help = "Fill an empty PostgreSQL database with invented people, conversations and messages."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--messages", type=int, required=True)
        parser.add_argument("--users", type=int, help="default: one for every 1,000 messages, at least 100")
        parser.add_argument("--conversations", type=int, help="default: one for every 100 messages, at least 10")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same rows")
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        messages = options["messages"]
        plan = Plan(
            messages=messages,
            people=options["users"] or max(100, messages // 1_000),
            conversations=options["conversations"] or max(10, messages // 100),
            seed=options["seed"],
        )
        if connection.vendor != "postgresql":
            raise CommandError("Load data is written by SQL that only PostgreSQL understands.")
        if faults := plan.faults():
            raise CommandError(" ".join(faults))
        if options["interactive"]:
            self._ask(plan)
        begun = time.monotonic()
        try:
            write(plan, _Progress(self.stdout))
        except NotEmpty as error:
            raise CommandError(
                "There are people in this database already. Load data goes into an empty, migrated one."
            ) from error
        self.stdout.write(
            f"{plan.messages:,} messages of {plan.people:,} people in {plan.conversations:,} conversations, "
            f"in {time.monotonic() - begun:.0f} s. `manage.py check_integrity` checks them."
        )

    def _ask(self, plan: Plan) -> None:
        database = connection.settings_dict
        where = f"{database['NAME']} at {database['HOST']}:{database['PORT']}"
        question = f"This writes {plan.messages:,} invented messages into {where}. Go on? Then type yes: "
        try:
            answer = input(question)
        except EOFError:
            answer = ""
        if answer != "yes":
            raise CommandError("Nothing was written.")


class _Progress:
    """Prints every two seconds what is being written, how much of it, and the rate."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._what = ""
        self._begun = self._said = 0.0

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._what, self._begun, self._said = what, now, now
        if now - self._said >= SAY_EVERY_SECONDS or (done == of and now > self._begun):
            self._said = now
            seconds = now - self._begun
            rate = f", {done / seconds:,.0f}/s" if seconds >= 1 else ""
            self._out.write(f"{what}: {done:,} of {of:,} in {seconds:.0f} s{rate}")
            self._out.flush()
