"""Fixtures: the providers, and one running stage of each kind for all tests. A test leaves them as it found them.

They end with this folder: servers and workers that look for due pushes five times a second would slow all later tests.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.people import People
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.services import Services
from tests.pushing.stage import Providers, Stage

KINDS: tuple[tuple[Any, ...], ...] = (("embedded", "memory"), ("production", "redis"), ("production", "rabbitmq"))


@pytest.fixture(scope="package")
def running_providers() -> Iterator[Providers]:
    providers = Providers()
    providers.start()
    yield providers
    providers.stop()


@pytest.fixture
def providers(running_providers: Providers) -> Providers:
    """All providers, free of faults, with nothing received."""
    running_providers.recover()
    return running_providers


@pytest.fixture(scope="package")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A private RabbitMQ."""
    broker = RabbitMQ()
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="package")
def stages(
    services: Services, running_providers: Providers, request: pytest.FixtureRequest
) -> Iterator[Callable[[Any, Any], Stage]]:
    """One running stage of each kind."""
    running: dict[tuple[Any, Any], Stage] = {}

    def stage(profile: Any, broker: Any) -> Stage:
        if (profile, broker) not in running:
            rabbitmq = request.getfixturevalue("rabbitmq") if broker == "rabbitmq" else None
            made = Stage(profile, services, running_providers, broker=broker, rabbitmq=rabbitmq)
            running[profile, broker] = made
            made.start()
        return running[profile, broker]

    yield stage
    for made in running.values():
        made.stop()


@pytest.fixture(params=KINDS, ids="-".join)
def stage(request: pytest.FixtureRequest, stages: Callable[[Any, Any], Stage], providers: Providers) -> Iterator[Stage]:
    """A stage of each kind; the test fails if a server logs a traceback meanwhile."""
    shared = stages(*request.param)
    with shared.site.clean_logs():
        yield shared


@pytest.fixture
def one_stage(stages: Callable[[Any, Any], Stage], providers: Providers) -> Iterator[Stage]:
    """A stage with RabbitMQ, for what depends neither on the profile nor on the broker."""
    shared = stages("production", "rabbitmq")
    with shared.site.clean_logs():
        yield shared


@pytest.fixture
def people(stage: Stage) -> People:
    """Makes people on the stage."""
    return People(stage.site)
