"""The examples of docs/language are tests: what a page shows is what the compiler makes.

An example is a section `## Example` (or `## Example: WHAT`). Its files are code blocks below a line
that begins with the file's name in backticks; those below `### It compiles to` are generated:

    `k8s/production/delay/service.yaml`: who may add a sentence here

    ```yaml
    …
    kind: Service
    …
    ```

A line `…` stands for lines left out; everything else is there, byte for byte, in this order. A name
that begins with `mlopsc` is a command, and the block what it prints. `MLOPSC_GOLDEN=1` writes the
blocks anew.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from mlopsc.artifacts.trace import causes_of
from mlopsc.cli.main import mlopsc
from mlopsc.cli.project import Place, Stopped, compile_at
from mlopsc.diagnostics.printers import text
from mlopsc.spec.built import NOT_BUILT
from mlopsc.spec.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlopsc.artifacts.draft import Artifact
    from mlopsc.compiler import Compilation
    from mlopsc.spec.patterns import Pattern

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "language"
GOLDEN = os.environ.get("MLOPSC_GOLDEN") == "1"
LEFT_OUT = "…"
TURN = "### It compiles to\n"
LATER = {
    page
    for pattern, page in PAGES.items()
    if any(row.path in (pattern, pattern[:-1]) for row in NOT_BUILT)
}
"""Pages of chapters that this release refuses."""
OF_A_PACKAGE = "targets.md"
"""What it shows is made by a package that is not installed here."""
OF_NO_CHAPTER = ("README.md", "composition.md")
"""The pages of the keys at the top."""

_SECTION = re.compile(r"^## Example(?:: ([^\n]+))?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^`([^`\n]+)`[^\n]*\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One example of a page.

    Attributes:
        page: the file's name.
        title: what it shows, where the page has several.
        files: what a person writes, by name.
        made: excerpts of generated files, by name.
        printed: what commands print, by command.
    """

    page: str
    title: str
    files: dict[str, str]
    made: dict[str, str]
    printed: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.title}" if self.title else self.page


def examples(page: Path) -> Iterator[Example]:
    """The examples of a page, in order."""
    for title, section in _SECTION.findall(page.read_text("utf-8")):
        written, _, made = section.partition(TURN)
        blocks = [dict(_BLOCK.findall(part)) for part in (written, made)]
        commands = {name: said for part in blocks for name, said in part.items() if _asks(name)}
        files, excerpts = ({n: s for n, s in part.items() if not _asks(n)} for part in blocks)
        assert section.count("\n```\n") == len(files) + len(excerpts) + len(commands), (
            f"{page.name}: a block of an example has no name, or two have the same"
        )
        yield Example(page.name, title, files, excerpts, commands)


def _asks(name: str) -> bool:
    return name.startswith("mlopsc ")


@cache
def all_examples() -> tuple[Example, ...]:
    return tuple(found for page in sorted(FOLDER.glob("*.md")) for found in examples(page))


def compiled(example: Example, folder: Path) -> Compilation:
    """The example's files laid out and compiled; what is wrong with them fails the test."""
    for name, content in example.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    try:
        compilation = compile_at(Place(str(folder), "mlops.yaml"))
    except Stopped as stopped:
        pytest.fail(f"{example}\n{text(stopped.diagnostics)}", pytrace=False)
    noted = [one for one in compilation.diagnostics if one.severity != "info"]
    assert not noted, f"{example}\n{text(noted)}"
    return compilation


# Excerpts


def pieces(excerpt: str) -> list[list[str]]:
    """What stands between the lines left out; empty where the excerpt begins or ends with some."""
    found: list[list[str]] = [[]]
    for line in excerpt.splitlines():
        if line.strip() == LEFT_OUT:
            found.append([])
        else:
            found[-1].append(line)
    return found


def spans(excerpt: str, content: str) -> list[range] | None:
    """Where the pieces of an excerpt stand in a file, as positions of lines; None if they do not."""
    lines, position, found = content.splitlines(), 0, []
    parts = pieces(excerpt)
    for number, piece in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        starts = _starts(piece, lines, position, only_first=first, only_last=last)
        if starts is None:
            return None
        found.append(range(starts, starts + len(piece)))
        position = starts + len(piece)
    return found


def _starts(
    piece: Sequence[str], lines: Sequence[str], position: int, *, only_first: bool, only_last: bool
) -> int | None:
    if not piece:
        return position
    places = [0] if only_first else range(position, len(lines) - len(piece) + 1)
    if only_last:
        places = [place for place in places if place == len(lines) - len(piece)]
    return next((p for p in places if list(lines[p : p + len(piece)]) == piece), None)


NEAR = 5
"""Lines by which a piece may have grown or shrunk between two that stayed."""


def anew(excerpt: str, content: str) -> str:
    """The excerpt as the file is now: each piece from what is left of it."""
    lines, position, written = content.splitlines(), 0, []
    for piece in pieces(excerpt):
        window = _window(piece, lines, position)
        written.append(lines[window.start : window.stop])
        position = window.stop
    left_out = [line for line in excerpt.splitlines() if line.strip() == LEFT_OUT]
    said = list(written[0])
    for between, piece in zip(left_out, written[1:], strict=True):
        said += [between, *piece]
    return "".join(f"{line}\n" for line in said)


def _window(piece: Sequence[str], lines: Sequence[str], position: int) -> range:
    matcher = SequenceMatcher(None, piece, lines[position:], autojunk=False)
    longest = matcher.find_longest_match()
    if not longest.size:
        return range(position, position)
    shift = longest.b - longest.a
    blocks = [b for b in matcher.get_matching_blocks() if b.size and abs(b.b - b.a - shift) <= NEAR]
    first, last = blocks[0], blocks[-1]
    start = max(0, first.b - first.a)
    stop = last.b + last.size + len(piece) - last.a - last.size
    return range(position + start, min(position + stop, len(lines)))


def test_an_excerpt_is_found_whole_and_in_order() -> None:
    content = "a: 1\nb: 2\nc: 3\nd: 4\n"
    assert spans("a: 1\nb: 2\n…\nd: 4\n", content) == [range(2), range(3, 4)]
    assert spans("…\nb: 2\nc: 3\n…\n", content) is not None
    assert spans("a: 1\nc: 3\nd: 4\n", content) is None, "something is left out and nothing says so"
    assert spans("b: 2\n…\n", content) is None, "the beginning is left out and nothing says so"
    assert spans("a: 1\n", content) is None, "the end is left out and nothing says so"
    assert spans("…\nc: 3\n…\nb: 2\n…\n", content) is None, "another order"
    assert spans("…\nb:  2\n…\n", content) is None, "another byte"


def test_an_excerpt_is_written_anew_from_what_is_left_of_it() -> None:
    before = "…\nspec:\n  replicas: 2\n  kind: x\n…\nlast: 1\n"
    now = "head: 0\nspec:\n  replicas: 3\n  more: 4\n  kind: x\n  rest: 5\nlast: 1\n"
    written = anew(before, now)
    assert written == "…\nspec:\n  replicas: 3\n  more: 4\n  kind: x\n…\nlast: 1\n"
    assert spans(before, now) is None
    assert spans(written, now) is not None


# Pages


@pytest.mark.parametrize("page", sorted({*PAGES.values(), *OF_NO_CHAPTER} - LATER - {OF_A_PACKAGE}))
def test_every_chapter_that_is_built_shows_what_it_compiles_to(page: str) -> None:
    found = list(examples(FOLDER / page))
    assert any(example.made for example in found)


@pytest.mark.parametrize("page", sorted(LATER))
def test_a_chapter_that_is_not_built_says_so(page: str) -> None:
    head, _, _ = (FOLDER / page).read_text("utf-8").partition("## Keys")
    assert "Not built yet" in head


@pytest.mark.parametrize("example", all_examples(), ids=str)
def test_an_example_compiles_to_what_the_page_shows(example: Example, tmp_path: Path) -> None:
    compilation = compiled(example, tmp_path)
    artifacts = {artifact.path: artifact for artifact in compilation.artifacts()}
    unknown = sorted(set(example.made) - set(artifacts))
    assert not unknown, f"{unknown} are not made; these are: {sorted(artifacts)}"
    for path, excerpt in example.made.items():
        if GOLDEN:
            _write(example.page, excerpt, anew(excerpt, artifacts[path].text))
            continue
        found = spans(excerpt, artifacts[path].text)
        assert found is not None, f"{example.page}: {path} is now\n{artifacts[path].text}"


@pytest.mark.parametrize("example", [e for e in all_examples() if e.made], ids=str)
def test_an_example_shows_what_its_chapter_decides(example: Example, tmp_path: Path) -> None:
    artifacts = {artifact.path: artifact for artifact in compiled(example, tmp_path).artifacts()}
    pattern = next((pattern for pattern, name in PAGES.items() if name == example.page), ())
    if example.page == "composition.md" and example.printed:
        return  # `mlopsc show` says what came of the layers
    shown = [
        (artifacts[path], spans(said, artifacts[path].text)) for path, said in example.made.items()
    ]
    assert any(_decides(pattern, artifact, found or ()) for artifact, found in shown)


def _decides(pattern: Pattern, artifact: Artifact, shown: Iterable[range]) -> bool:
    """Whether a key of the chapter decides a line that is shown, or that it is there."""
    numbers = {line + 1 for lines in shown for line in lines}
    around = [
        origin
        for cause in artifact.causes
        if not numbers.isdisjoint(range(cause.first, cause.last + 1))
        for origin in cause.origins
    ]
    nearest = [origin for number in numbers for origin in causes_of(artifact, number)]
    return any(_below(pattern, origin) for origin in (*around, *nearest))


def _below(pattern: Pattern, origin: Sequence[str | int]) -> bool:
    path = origin[1:] if origin and str(origin[0]).startswith("@") else origin
    return len(path) >= len(pattern) and all(
        asked in ("*", step) for asked, step in zip(pattern, path, strict=False)
    )


@pytest.mark.parametrize("example", [e for e in all_examples() if e.printed], ids=str)
def test_a_command_prints_what_the_page_shows(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(example, tmp_path)
    monkeypatch.chdir(tmp_path)
    for command, shown in example.printed.items():
        result = CliRunner().invoke(mlopsc, command.split()[1:])
        assert result.exit_code == 0, result.output
        if GOLDEN:
            _write(example.page, shown, anew(shown, result.output))
            continue
        assert spans(shown, result.output) is not None, f"{command} prints\n{result.output}"


def _write(page: str, old: str, new: str) -> None:
    path = FOLDER / page
    content = path.read_text("utf-8")
    assert content.count(f"\n{old}```\n") == 1, f"{page} shows this twice:\n{old}"
    path.write_text(content.replace(f"\n{old}```\n", f"\n{new}```\n"), "utf-8")
