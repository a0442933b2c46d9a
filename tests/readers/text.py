"""Structural readers of formats that have no checker to install: CODEOWNERS, Dockerfile, …"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from readers.commands import Said

_SECTION = re.compile(r"\^?\[[^\[\]]+\](\[\d+\])?(\s+.+)?")
_OWNER = re.compile(r"@@?[\w.\-/]+|[^@\s]+@[^@\s]+\.[^@\s]+")
_UNESCAPED_SPACE = re.compile(r"(?<!\\)\s+")

# Docker's documentation, "Dockerfile reference".
_INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _lines(root: Path, path: str) -> list[str]:
    return (root / path).read_text("utf-8").splitlines()


def is_text(root: Path, path: str) -> Iterator[str]:
    """What holds of every text file: UTF-8, no control characters, one newline at its end."""
    content = (root / path).read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"not UTF-8: {error}"
        return
    if any(ord(character) < 32 and character not in "\n\t" for character in text):
        yield "holds a control character"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield "ends without its one newline"


def codeowners(root: Path, paths: list[str]) -> Said:
    """Sections and entries as GitLab documents them; a path has owners or its section does."""
    for path in paths:
        yield from ((path, message) for message in is_text(root, path))
        section_owned = False
        for number, line in enumerate(_lines(root, path), start=1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith(("[", "^[")):
                if not _SECTION.fullmatch(text):
                    yield path, f"line {number}: no section: {text}"
                section_owned = bool(_OWNER.search(text.rpartition("]")[2]))
                continue
            owners = _UNESCAPED_SPACE.split(text)[1:]
            if not owners and not section_owned:
                yield path, f"line {number}: nobody owns {text}"
            yield from (
                (path, f"line {number}: '{owner}' is no owner")
                for owner in owners
                if not _OWNER.fullmatch(owner)
            )


def dockerfile(root: Path, paths: list[str]) -> Said:
    """Known instructions, pinned images, no downloads by ADD, a last stage that is not root's."""
    for path in paths:
        yield from ((path, message) for message in is_text(root, path))
        yield from ((path, message) for message in _dockerfile(_instructions(_lines(root, path))))


def _instructions(lines: list[str]) -> list[tuple[str, str]]:
    """Join continued lines, leave comments out, and split each instruction from its arguments."""
    joined, found = "", []
    for line in lines:
        if line.lstrip().startswith("#") or (not joined and not line.strip()):
            continue
        joined += line.strip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        word, _, rest = joined.partition(" ")
        found.append((word, rest.strip()))
        joined = ""
    if joined:
        found.append(("", joined))
    return found


def _dockerfile(instructions: list[tuple[str, str]]) -> Iterator[str]:
    words = [word for word, _ in instructions]
    yield from (f"'{word}' is no instruction" for word in words if word not in _INSTRUCTIONS)
    first = next((word for word in words if word != "ARG"), None)
    if first != "FROM":
        yield "begins without FROM"
    stages: set[str] = set()
    user = ""
    for word, rest in instructions:
        if word == "FROM":
            user = ""
            yield from _base(rest, stages)
        elif word == "USER":
            user = rest.split(":")[0]
        elif word == "ADD":
            yield "ADD: COPY says what it does; downloads are pinned by RUN with a checksum"
        elif word == "RUN" and re.search(r"\bapt-get (upgrade|dist-upgrade)\b|\bsudo\b", rest):
            yield f"RUN: not reproducible or not needed: {rest[:80]}"
    if user in {"", "root", "0"}:
        yield "its last stage runs as root"


def _base(arguments: str, stages: set[str]) -> Iterator[str]:
    words = [word for word in arguments.split() if not word.startswith("--")]
    image = words[0] if words else ""
    if image not in stages | {"scratch"}:
        name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
        if not name or (not tag and "@sha256:" not in image) or tag == "latest":
            yield f"FROM: '{image}' is not pinned"
    if len(words) == 3 and words[1].upper() == "AS":
        stages.add(words[2])


def markdown(root: Path, paths: list[str]) -> Said:
    """One title on top, every fence closed, every relative link to a file that is there."""
    for path in paths:
        yield from ((path, message) for message in is_text(root, path))
        lines = _lines(root, path)
        if not lines or not lines[0].startswith("# "):
            yield path, "begins without a title"
        if sum(line.startswith("```") for line in lines) % 2:
            yield path, "a fence is not closed"
        for target in _LINK.findall("\n".join(lines)):
            file = target.partition("#")[0]
            if file and "://" not in file and not (root / path).parent.joinpath(file).exists():
                yield path, f"its link leads nowhere: {target}"


def ignore_file(root: Path, paths: list[str]) -> Said:
    """Patterns as gitignore(5) has them: one a line, nothing that ignores everything."""
    for path in paths:
        yield from ((path, message) for message in is_text(root, path))
        patterns = [line for line in _lines(root, path) if line and not line.startswith("#")]
        if not patterns:
            yield path, "ignores nothing"
        for pattern in patterns:
            if pattern != pattern.strip() or pattern in {"*", "/", "**", "!"}:
                yield path, f"no pattern to sign: '{pattern}'"


def requirements(root: Path, paths: list[str]) -> Said:
    """What pip reads, by the parser pip uses: every line a requirement with a bound."""
    from packaging.requirements import InvalidRequirement, Requirement

    for path in paths:
        for line in _lines(root, path):
            if not line or line.startswith("#"):
                continue
            try:
                requirement = Requirement(line)
            except InvalidRequirement as error:
                yield path, f"'{line}': {error}"
                continue
            if not requirement.specifier:
                yield path, f"'{line}' takes any version"
