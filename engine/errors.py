"""Faults: what goes wrong around a decision rather than in it. Each says what the remedy is."""


class TidegateError(Exception):
    """Base of all our faults."""


class StoreRefused(TidegateError):
    """The store answered, and wrote nothing. ``code`` is the first word of its answer."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail


class StoreLost(TidegateError):
    """No answer from the store: what was sent may have been applied or not."""


class CannotStart(TidegateError):
    """Something that is needed cannot be reached or started; the text says what to do next."""
