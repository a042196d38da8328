"""A fake of asyncio's transports, for what runs on them: it keeps what is done with it."""


class Wire:
    """A connection to nobody. `unsent` is how many bytes it says it still has to send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unsent = 0
        self.is_reading = True
        self.is_aborted = False
        self.is_ending = False

    def write(self, data) -> None:
        assert not self.is_closing()
        self.sent.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_aborted or self.is_ending

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        assert self.is_reading
        assert not self.is_closing()
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading
        assert not self.is_closing()
        self.is_reading = True
