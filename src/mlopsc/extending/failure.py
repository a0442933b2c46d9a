"""The failure of somebody else's code, so that nobody takes it for one of ours."""

from __future__ import annotations


class PackageFailed(Exception):
    """A target of an installed package raised, or made what no target may make."""

    def __init__(self, package: str, version: str, message: str) -> None:
        super().__init__(message)
        self.package = package
        self.version = version
