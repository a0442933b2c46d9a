"""The versions of the language: the one this release reads, and those `mlopsc upgrade` comes from."""

from __future__ import annotations

from typing import Final

API_VERSION: Final = "mlopsc/v1"
OLDER_VERSIONS: Final = ("mlopsc/v1beta1",)
"""Oldest first; each is brought into the next one."""
