"""The A codes above 100: what can be wrong with a project's own templates, and with targets of packages."""

from __future__ import annotations

from typing import Final

TITLES: Final[dict[str, str]] = {
    "A101": "There is no template of this name",
    "A102": "A template is no Jinja",
    "A103": "A template fails",
    "A104": "A template does too much",
    "A105": "Our template has changed since yours was made from it",
    "A106": "No file is made from the template",
    "A107": "The file of a template cannot be one",
    "A201": "The package of a target is not installed",
    "A202": "Another version of a target's package is installed",
    "A203": "The package has no such target",
    "A204": "Two targets make the same file",
    "A205": "A target has the name of one of ours",
}
