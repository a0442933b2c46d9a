"""`mlopsc adopt`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mlopsc.cli.project import Place, Stopped, compile_at, find, path_in, show, spec_above
from mlopsc.diagnostics.finding import Rejected

if TYPE_CHECKING:
    from mlopsc.artifacts.draft import Artifact
    from mlopsc.compiler import Compilation
    from mlopsc.workspace.folder import Folder
    from mlopsc.workspace.lock import Lock


@click.command("adopt")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--spec", default=None, help="The spec or its folder; found above FILE without it.")
@click.option("--dry-run", is_flag=True, help="Show the patch, and write nothing.")
def command(files: tuple[str, ...], spec: str | None, dry_run: bool) -> int:
    """Keep what was edited by hand in a generated FILE: as a patch, at the end of the spec.

    Comments of the spec stay; the file is written anew, as the spec compiles to it now.

    \b
    Example: mlopsc adopt k8s/production/delay/deployment.yaml && mlopsc compile
    """  # noqa: D301 (click ends paragraphs at a real backspace)
    done = [_adopt(file, find(spec or spec_above(file)), dry_run=dry_run) for file in files]
    if not dry_run and True in done:
        click.echo("now run: mlopsc compile")
    return 1 if None in done else 0


def _adopt(file: str, place: Place, *, dry_run: bool) -> bool | None:
    """Whether there was an edit to adopt; None: it cannot be, and what stands in the way is said."""
    from mlopsc.diagnostics.diagnostic import locate_all

    path = path_in(place, file)
    texts: dict[str, str] = {}
    compilation: Compilation | None = None
    try:
        compilation = compile_at(place)
        artifact = next(compilation.artifacts(lambda each, _target: each == path), None)
        if artifact is None:
            click.echo(f"{path} is not a file this spec compiles to", err=True)
            return None
        return _edit(place, compilation, artifact, texts, dry_run=dry_run)
    except Rejected as rejected:
        document = None if compilation is None else compilation.document
        show(locate_all(rejected.findings, document, texts))
    except Stopped as stopped:
        show(stopped.diagnostics)
    return None


def _edit(
    place: Place,
    compilation: Compilation,
    artifact: Artifact,
    texts: dict[str, str],
    *,
    dry_run: bool,
) -> bool:
    """Turn the edit of one file into a patch; whether there was one.

    Raises:
        Rejected: the file was not edited, or cannot be read, or no patch can say the edit.
    """
    from mlopsc.patching.adoption import adopted, comments_lost, is_alike, not_adopted
    from mlopsc.patching.written import braced, item_lines
    from mlopsc.source.encoding import decode
    from mlopsc.workspace.edit_patches import append_patch
    from mlopsc.workspace.files import read_bytes, write_spec
    from mlopsc.workspace.lock import read_lock
    from mlopsc.workspace.tree import digest

    path = artifact.path
    data = read_bytes(place.root, path)
    edited = texts[path] = decode(path, data).text.replace("\r\n", "\n")
    if edited == artifact.text:
        click.echo(f"{path} is what the spec compiles to: there is nothing to adopt")
        return False
    lock = read_lock(place.root)
    _check_edited(artifact, compilation, lock, digest(data))
    patch = adopted(artifact, edited)
    lines = item_lines(patch)
    where = _file_of_patches(compilation, place)
    before = compilation.inputs.read(where).decode()
    after = append_patch(before, patch, lines, braced(patch))
    made = _compiled(place, where, after, path)
    if made is None or not is_alike(made, edited):
        raise not_adopted(
            path,
            f"with this patch the spec does not compile to the edited '{path}'",
            f"write it by hand: `- {braced(patch)}`",
        )
    click.echo(f"{path}: one patch at the end of {where}\n")
    click.echo("\n".join(f"  {line}" if line else "" for line in lines) + "\n")
    if lost := comments_lost(made, edited):
        click.echo("\n  ".join((f"{path}: comments are not kept:", *lost)), err=True)
    if not dry_run:
        write_spec(place.root, where, after)
        _write(place, made, lock, digest(data), compilation)
    return True


def _check_edited(artifact: Artifact, compilation: Compilation, lock: Lock, found: str) -> None:
    """W051, if the difference between the file and what is generated is not an edit alone."""
    from mlopsc.patching.adoption import not_adopted
    from mlopsc.patching.creating import TARGET
    from mlopsc.workspace.tree import digest

    path = artifact.path
    if artifact.target == TARGET:
        origin = artifact.causes[0].origins[0]
        at = compilation.document.place(origin)
        raise not_adopted(
            path,
            f"'{path}' is a file of your own, which `create` keeps with the generated ones",
            f"edit what it is made from, at {at.file}:{at.line}",
        )
    if lock.is_ours(path, found):
        raise not_adopted(
            path, f"'{path}' was not edited: it is out of date", "run: mlopsc compile"
        )
    if lock.knows(path) and not lock.is_ours(path, digest(artifact.text.encode())):
        raise not_adopted(
            path,
            f"'{path}' was edited, and the spec was changed since it was compiled: nobody can tell"
            " which difference is which",
            "take the change of the spec back (`git stash push mlops.yaml`), adopt, then bring it"
            " back (`git stash pop`)",
        )


def _file_of_patches(compilation: Compilation, place: Place) -> str:
    """The file whose patches are applied last."""
    count = len(compilation.project.patches)
    if count == 0:
        return place.name
    return compilation.document.place(("patches", count - 1)).file


def _compiled(place: Place, name: str, text: str, path: str) -> Artifact | None:
    """The file at `path` as the spec compiles to it with `text` in the place of its file `name`.

    Raises:
        Stopped: it does not compile.
    """
    from mlopsc.compiler import Refused, compile_spec
    from mlopsc.source.encoding import decode
    from mlopsc.source.files import Inputs
    from mlopsc.workspace.folder import Folder

    inputs = Inputs(_Instead(Folder(place.root), name, text.encode()))
    try:
        compilation = compile_spec(decode(place.name, inputs.read(place.name)), inputs)
    except Refused as refused:
        raise Stopped(refused.diagnostics) from None
    return next(compilation.artifacts(lambda each, _target: each == path), None)


class _Instead:
    """The files of a project, one of them with other content."""

    def __init__(self, folder: Folder, name: str, data: bytes) -> None:
        self._folder = folder
        self._name = name
        self._data = data

    def read(self, name: str) -> bytes:
        """See `Files.read`."""
        return self._data if name == self._name else self._folder.read(name)

    def find(self, pattern: str) -> tuple[str, ...]:
        """See `Files.find`."""
        return self._folder.find(pattern)


def _write(place: Place, made: Artifact, lock: Lock, edited: str, compilation: Compilation) -> None:
    """Put the file as it is compiled in the place of the edited one, which nobody needs any more.

    Raises:
        Rejected: it cannot be written.
    """
    from mlopsc.workspace.apply import apply
    from mlopsc.workspace.plan import make_plan

    known = replace(lock, files={**lock.files, made.path: edited})
    plan = make_plan([made], place.root, known, compilation.inputs.read_so_far, partial=True)
    apply(plan, place.root)
