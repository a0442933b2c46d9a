"""Why no spec can be made, in words for the person who asked."""

from __future__ import annotations


class UnusableError(Exception):
    """The data file or the answers do not make a spec; nothing has been written.

    Attributes:
        message: what is wrong, in one line.
        help: what would be right.
        usage: whether it is about the command line rather than about the data.
    """

    def __init__(self, message: str, help_: str, usage: bool = False) -> None:
        super().__init__(message, help_, usage)  # all of them: it travels between processes
        self.message = message
        self.help = help_
        self.usage = usage

    def __str__(self) -> str:
        """The message alone."""
        return self.message
