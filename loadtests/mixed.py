"""Two streams for each whole answer, as applications do. Run against `make serve`: `make load SCENARIO=mixed`."""

from application import Application
from locust import between, task


class Asker(Application):
    """Asks about once a second."""

    wait_time = between(0.5, 1.5)

    @task(1)
    def ask(self) -> None:
        """Ask for a whole answer."""
        self.chat()

    @task(2)
    def ask_for_a_stream(self) -> None:
        """Ask for a stream."""
        self.stream()
