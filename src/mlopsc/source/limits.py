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
MAX_FILES: Final = 10_000
"""Files of one spec, with all it includes."""
MAX_INCLUDES: Final = 50
"""Files on the way from the first one to one that is included."""
MAX_FILLED: Final = 1024 * 1024
"""Characters of one text with its `${…}` filled in; variables of variables multiply."""
MAX_ALL_FILLED: Final = 10 * MAX_BYTES
"""Characters of all texts that are filled in, in all environments together."""
MAX_VARIABLES: Final = 50
"""Variables on the way from one that is asked for to one its value asks for."""
MAX_COMPOSED: Final = 10 * MAX_NODES
"""Values of all environments together, where they differ."""
