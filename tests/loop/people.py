"""Who Alertmanager tells: its generated configuration, and the files of secrets it reads, made here.

The configuration is the generated one. Different are the folder of the secrets, which a laptop does
not have in /etc, and PagerDuty's address, which no file of a secret can say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from loop.stage import LoopError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Config = dict[str, Any]

SECRETS = "/etc/alertmanager/secrets"
"""Where the generated configuration looks for them (docs/targets/alertmanager.md)."""


def config_here(generated: str, secrets: Path, pagerduty: str) -> Config:
    """The generated configuration for this machine.

    Args:
        generated: its text.
        secrets: the folder instead of /etc/alertmanager/secrets.
        pagerduty: the address instead of PagerDuty's.
    """
    moved: Config = yaml.safe_load(generated.replace(SECRETS, str(secrets)))
    moved["global"] = {**moved.get("global", {}), "pagerduty_url": pagerduty}
    return moved


def secret_files(generated: str) -> set[str]:
    """The names of the files that a configuration reads its secrets from."""
    return {
        value.removeprefix(f"{SECRETS}/")
        for value in _texts(yaml.safe_load(generated))
        if value.startswith(f"{SECRETS}/")
    }


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def trigger_address(gitlab: str, project: str, token: str, variables: Mapping[str, str]) -> str:
    """The content of `retrain-MODEL`, as docs/targets/alertmanager.md writes it."""
    given = "".join(f"&variables[{name}]={quote(value)}" for name, value in variables.items())
    return f"{gitlab}/api/v4/projects/{project}/ref/main/trigger/pipeline?token={token}{given}"


def write_config(generated: Path, folder: Path, secrets: Mapping[str, str], pagerduty: str) -> Path:
    """Write the configuration and the secrets it reads into a folder; returns the former's path.

    Raises:
        LoopError: it reads a secret that is not given, or one is given that it does not read.
    """
    text = generated.read_text("utf-8")
    if secret_files(text) != set(secrets):
        raise LoopError(
            f"{generated} reads the secrets {sorted(secret_files(text))}, given are {sorted(secrets)}"
        )
    kept = folder / "secrets"
    kept.mkdir(parents=True, exist_ok=True)
    for name, content in secrets.items():
        (kept / name).write_text(content, "utf-8")  # no newline: it would be a part of the secret
    config = folder / "alertmanager.yml"
    config.write_text(yaml.safe_dump(config_here(text, kept, pagerduty), sort_keys=False), "utf-8")
    return config
