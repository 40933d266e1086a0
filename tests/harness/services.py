"""The PostgreSQL and the Redis of one test run, private to it.

Services that run on the machine already are neither used nor touched.
"""

from tests.harness.postgresql import PostgreSQL
from tests.harness.product import migrate, production_environment
from tests.harness.redis import Redis


class Services:
    """The PostgreSQL and the Redis of one test run."""

    template = "chatsite_template"

    def __init__(self, postgresql: PostgreSQL | None = None) -> None:
        self.postgresql = postgresql or PostgreSQL()
        self.redis = Redis()
        self._template_exists = False
        self._databases = 0

    def start(self) -> None:
        """Start both, and create the database `chatsite`."""
        self.postgresql.start()
        self.redis.start()
        self.postgresql.create_database("chatsite")

    def stop(self) -> None:
        """Stop both."""
        self.redis.stop()
        self.postgresql.stop()

    def environment(self) -> dict[str, str]:
        """Return the settings under which the product works on these services."""
        return production_environment(self.postgresql.url("chatsite"), self.redis)

    def fresh_database(self) -> str:
        """Create a migrated, empty database and return its address; the first call migrates."""
        if not self._template_exists:
            address = self.postgresql.create_database(self.template)
            try:
                migrate(production_environment(address, self.redis))
            except BaseException:
                self.postgresql.drop_database(self.template)  # or every later call would find half a template
                raise
            self._template_exists = True
        self._databases += 1
        return self.postgresql.create_database(f"chatsite_{self._databases}", template=self.template)
