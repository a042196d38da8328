"""Whole answers only. Run against `make serve`: `make load SCENARIO=chat`."""

from application import Application
from locust import between, task


class Asker(Application):
    """Asks about once a second."""

    wait_time = between(0.5, 1.5)

    @task
    def ask(self) -> None:
        """Ask once."""
        self.chat()
