"""A provider that answers at once, within the process: for what a delivery does with an answer."""

from notifications.providers.push import Accepted, Answer, Push


class Provider:
    """Takes everything, unless it is to answer something else."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.pushes: list[Push] = []

    def send(self, push: Push) -> Answer:
        self.pushes.append(push)
        return self.answers.pop(0) if self.answers else Accepted()
