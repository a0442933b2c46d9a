"""How large a text may be; the reader refuses more before it costs memory."""

from typing import Final

MAX_BYTES: Final = 10 * 1024 * 1024
"""Bytes of one file. Callers check a file's size before they read it."""
MAX_DEPTH: Final = 100
"""Mappings and lists inside one another."""
MAX_NODES: Final = 1_000_000
"""Values and keys, an aliased value counted again at each use."""
MAX_DIGITS: Final = 100
"""Characters of one number; Python alone would refuse decimal ones above 4,300 with a traceback."""
