"""A provider within the process that answers at once, for tests of how deliveries handle answers."""

from notifications.providers.push import Accepted, Answer, Push


class Provider:
    """Accepts every push, unless `answers` has another answer."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.pushes: list[Push] = []

    def send(self, push: Push) -> Answer:
        self.pushes.append(push)
        return self.answers.pop(0) if self.answers else Accepted()
