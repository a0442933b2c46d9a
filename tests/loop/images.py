"""The image builder's stand-in: `buildctl-daemonless.sh` on the PATH of the loop's jobs.

There is no container engine here. A build reads the Dockerfile, copies what its COPY lines copy
into a folder a reference, and says which commands a real build would run. A FROM of our own
registry needs such a folder; a FROM of anybody else's is not fetched.

Started as a program it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORE = "LOOP_IMAGES"
"""The variable that names the folder of images."""
REGISTRY = "MLOPS_REGISTRY"
"""The variable that names our registry's host; the generated jobs set it."""


@dataclass
class Image:
    """What a container of this image would start with.

    Attributes:
        reference: its name in the registry.
        workdir: the folder it starts in; relative targets of COPY are below it.
        entrypoint: what it starts.
        environment: the variables it sets.
        commands: what a real build would have run.
    """

    reference: str
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)


def folder_of(store: Path, reference: str) -> Path:
    """Where an image lies: `image.json`, and its files below `root`."""
    return store / quote(reference, safe="")


def read(store: Path, reference: str) -> tuple[Image, Path]:
    """An image and the folder that is its root.

    Raises:
        FileNotFoundError: nobody has built it.
    """
    folder = folder_of(store, reference)
    return Image(**json.loads((folder / "image.json").read_text("utf-8"))), folder / "root"


class Refused(Exception):
    """What a real build would end with."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile with what follows them, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), " ".join(rest.split())


def build(dockerfile: Path, context: Path, reference: str, store: Path, folder: Path) -> Image:
    """Make an image in a folder; images it comes from are looked up in the store.

    Raises:
        Refused: it comes from one of ours that is not there, or what it copies is not there.
    """
    image = Image(reference)
    root = folder / "root"
    shutil.rmtree(folder, ignore_errors=True)
    root.mkdir(parents=True)
    for word, rest in instructions(dockerfile.read_text("utf-8")):
        match word:
            case "FROM":
                refuse_missing(rest.split()[0], store)
            case "WORKDIR":
                image.workdir = rest
            case "COPY":
                copy(rest, context, root / image.workdir.lstrip("/"), root)
            case "ENV":
                image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "ENTRYPOINT":
                image.entrypoint = json.loads(rest)
            case "RUN":
                refuse_missing_mounts(rest, context)
                image.commands.append(rest)
    (folder / "image.json").write_text(json.dumps(asdict(image), indent=2), "utf-8")
    return image


def refuse_missing(reference: str, store: Path) -> None:
    """Refuse a FROM of our own registry that nobody has built."""
    host = os.environ.get(REGISTRY)
    ours = host is not None and reference.startswith(f"{host}/")
    if ours and not (folder_of(store, reference) / "image.json").is_file():
        raise Refused(f"{reference}: not found")


def refuse_missing_mounts(command: str, context: Path) -> None:
    """Refuse a RUN whose bind mount is not in the context."""
    for option in (part for part in command.split() if part.startswith("--mount=")):
        settings = dict(pair.partition("=")[::2] for pair in option[8:].split(","))
        source = settings.get("source")
        if settings.get("type") == "bind" and source and not (context / source).exists():
            raise Refused(f"{source}: not found in the context")


def copy(arguments: str, context: Path, workdir: Path, root: Path) -> None:
    """Do what a COPY does: the last argument is the target, a folder's contents are copied."""
    plain = arguments.lstrip()
    while plain.startswith("--"):
        plain = plain.partition(" ")[2].lstrip()
    *sources, target = json.loads(plain) if plain.startswith("[") else shlex.split(plain)
    place = root / target.lstrip("/") if target.startswith("/") else workdir / target
    for source in sources:
        origin = context / source
        if not origin.exists():
            raise Refused(f"COPY {source}: not found in the context")
        if origin.is_dir():
            shutil.copytree(origin, place, dirs_exist_ok=True)
        else:
            into = place / origin.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)


def options_of(argv: Sequence[str]) -> dict[str, dict[str, str]]:
    """`--local a=b --output type=image,name=c` as `{"local": {"a": "b"}, "output": …}`."""
    found: dict[str, dict[str, str]] = {}
    for flag, value in zip(argv[1::2], argv[2::2], strict=True):
        pairs = value.split(",") if "=" in value else []
        found.setdefault(flag.removeprefix("--"), {}).update(
            dict(pair.split("=", 1) for pair in pairs)
        )
    return found


def main(argv: Sequence[str]) -> int:
    """`build` alone, with the options that the generated jobs use."""
    if argv[:1] != ["build"]:
        print(f"the stand-in of buildctl builds images, nothing else: {argv}", file=sys.stderr)
        return 2
    options, store = options_of(argv), Path(os.environ[STORE])
    local = options["local"]
    dockerfile = Path(local["dockerfile"]) / options.get("opt", {}).get("filename", "Dockerfile")
    reference = options.get("output", {}).get("name")
    try:
        context = Path(local["context"])
        if reference is None:  # without an output a build only shows whether it can be done
            with tempfile.TemporaryDirectory() as folder:
                build(dockerfile, context, "none", store, Path(folder))
            return 0
        image = build(dockerfile, context, reference, store, folder_of(store, reference))
    except Refused as refused:
        print(f"error: {dockerfile}: {refused}", file=sys.stderr)
        return 1
    print(f"{reference}: laid out from {dockerfile}; not run without a container engine:")
    for command in image.commands:
        print(f"  {command}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
