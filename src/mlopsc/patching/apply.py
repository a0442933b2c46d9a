"""What the project's patches make of the files that are generated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import JsonDraft, YamlDraft
from mlopsc.artifacts.render import render
from mlopsc.diagnostics.finding import Finding, Note, sound
from mlopsc.patching import Patched, creating
from mlopsc.patching.globs import WILD, fits
from mlopsc.patching.merge import expect, merged
from mlopsc.patching.operations import operated
from mlopsc.patching.refusal import Unfitting, unfitting
from mlopsc.patching.structure import bare, identical, own
from mlopsc.patching.text import replaced
from mlopsc.project.conventions import environment_of
from mlopsc.project.model import Creation, Patch
from mlopsc.source.suggest import closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlopsc.artifacts.draft import Artifact, Draft
    from mlopsc.project.model import Project
    from mlopsc.source.files import Inputs


def applied(
    project: Project, drafts: Iterable[tuple[str, Draft]], inputs: Inputs, names: Iterable[str]
) -> Patched:
    """Apply the patches of `project` in written order; see `apply_patches`."""
    run = _Run(project, inputs)
    for target, draft in drafts:
        run.look(draft, target)
    return run.outcome(frozenset(names))


class _Run:
    """One application of all patches, and what is known of each so far."""

    def __init__(self, project: Project, inputs: Inputs) -> None:
        self._environments = tuple(each.name for each in project.environments)
        self._patches = {each.name: each.patches for each in project.environments}
        self._shared = project.patches
        self._inputs = inputs
        self._paths: set[str] = set()
        self._met: set[int] = set()  # positions of patches that a file fits
        self._failed: set[int] = set()
        self._effective: set[int] = set()
        self._changed: dict[str, Artifact] = {}
        self._findings: list[Finding] = []
        self._made = tuple(self._create())

    # --- files of the user's own ----------------------------------------------------------------

    def _create(self) -> Iterator[tuple[Creation, Artifact]]:
        for creation in self._creations():
            try:
                yield creation, creating.created(creation, self._inputs)
            except Unfitting as unfit:
                self._findings.append(unfit.finding)

    def _creations(self) -> Iterator[Creation]:
        """Each where it counts: a path of one environment is that environment's to create."""
        for owner in (None, *self._environments):
            for creation in self._of(owner):
                if isinstance(creation, Creation) and self._owner(creation.path) == owner:
                    yield creation

    def _owner(self, path: str) -> str | None:
        return environment_of(path, self._environments)

    def _of(self, environment: str | None) -> tuple[Patch | Creation, ...]:
        return self._shared if environment is None else self._patches[environment]

    # --- generated files --------------------------------------------------------------------------

    def look(self, draft: Draft, target: str) -> None:
        """Patch one file, if any patch is about it."""
        self._paths.add(draft.path)
        patches = tuple(
            patch
            for patch in self._of(self._owner(draft.path))
            if isinstance(patch, Patch) and fits(patch.artifact, draft.path)
        )
        self._met.update(map(_position, patches))
        with_created = creating.listed(draft, self._made, patches) if self._made else draft
        if patches or with_created is not draft:
            self._changed[draft.path] = self._patched(with_created, target, patches)

    def _patched(self, draft: Draft, target: str, patches: tuple[Patch, ...]) -> Artifact:
        artifact: Artifact | None = None
        for patch in patches:
            try:
                if isinstance(draft, (YamlDraft, JsonDraft)):
                    draft = self._data_patched(draft, patch)
                else:
                    artifact = self._text_patched(artifact or render(draft, target), patch)
            except Unfitting as unfit:
                self._failed.add(_position(patch))
                self._findings.append(_of_which(unfit.finding, patch, draft.path))
        return artifact or render(draft, target)

    def _data_patched(self, draft: YamlDraft | JsonDraft, patch: Patch) -> YamlDraft | JsonDraft:
        if patch.replacements:
            raise unfitting(
                "A004",
                f"{draft.path} is data, and `replace` is for other text",
                patch.at("replace"),
                "write `merge`, or `json` for an item of a list",
                on_key=True,
            )
        before = own(draft.body)
        expect(before, patch.expect, patch.at("expect"))
        if patch.merge is not None:
            after = merged(before, patch.merge, patch.at("merge"), (draft.origin,))
        else:
            after = operated(before, patch.operations, (draft.origin,))
        if not identical(bare(before), bare(after)):
            self._effective.add(_position(patch))
        return replace(draft, body=after)

    def _text_patched(self, artifact: Artifact, patch: Patch) -> Artifact:
        if not patch.replacements:
            key = "json" if patch.merge is None else "merge"
            raise unfitting(
                "A004",
                f"{artifact.path} is text, and `{key}` is for YAML and JSON",
                patch.at(key),
                "write `replace: [{find: …, with: …}]`",
                on_key=True,
            )
        after = artifact
        for replacement in patch.replacements:
            after = replaced(after, replacement)
        if after.text != artifact.text:
            self._effective.add(_position(patch))
        return after

    # --- the outcome --------------------------------------------------------------------------------

    def outcome(self, names: frozenset[str]) -> Patched:
        """What came of it, once every file was looked at.

        Raises:
            Rejected: a patch cannot be applied.
        """
        taken = {**dict.fromkeys(names, _SPEC), **dict.fromkeys(self._inputs.read_so_far, _INPUT)}
        created: dict[str, tuple[Creation, Artifact]] = {}
        for creation, artifact in self._made:
            finding = self._in_the_way(creation, taken, created)
            if finding is None:
                created[creation.path] = creation, artifact
            else:
                self._findings.append(finding)
        self._findings += self._without_effect()
        return Patched(
            self._changed,
            tuple(artifact for _, artifact in created.values()),
            sound(tuple(dict.fromkeys(self._findings))),
        )

    def _in_the_way(
        self,
        creation: Creation,
        taken: Mapping[str, str],
        created: Mapping[str, tuple[Creation, Artifact]],
    ) -> Finding | None:
        """A007, if something else has the path, or is the folder of it, or in a folder at it."""
        path, at = creation.path, creation.at("create")
        if creation.source in self._paths:
            return Finding(
                "A008",
                f"'{creation.source}' is generated",
                creation.at("from"),
                "name a file of your own; what is generated is there already",
            )
        if path in taken:
            return Finding(
                "A007", f"'{path}' {taken[path]}", at, "choose another path for the created file"
            )
        if path in self._paths:
            return Finding(
                "A007",
                f"'{path}' is generated",
                at,
                "change it with `artifact` and `merge`, `json` or `replace`",
            )
        if path in created:
            other = created[path][0]
            return Finding(
                "A007",
                f"'{path}' is created twice",
                at,
                "take one of them out",
                (Note("the other one stands here", other.at("create")),),
            )
        others = {*self._paths, *created, *taken}
        folder = next((other for other in _above(path) if other in others), None)
        below = next((other for other in sorted(others) if other.startswith(f"{path}/")), None)
        if folder is None and below is None:
            return None
        what = f"'{folder}' is a file" if folder else f"'{path}' is a folder: it holds '{below}'"
        return Finding("A007", what, at, "choose another path for the created file")

    def _without_effect(self) -> Iterator[Finding]:
        """A001 for a patch no file fits, A002 for one that changed none."""
        for patch in self._shared:
            position = _position(patch)
            if not isinstance(patch, Patch) or position in self._failed | self._effective:
                continue
            if position in self._met:
                key = next(k for k in ("merge", "replace", "json") if k == "json" or _has(patch, k))
                yield Finding(
                    "A002",
                    "the patch changes nothing: all of it is there already",
                    patch.at(key),
                    "take the patch out",
                    severity="warning",
                    on_key=True,
                )
            else:
                yield Finding(
                    "A001",
                    f"no generated file is called '{patch.artifact}'"
                    if WILD.isdisjoint(patch.artifact)
                    else f"no generated file fits '{patch.artifact}'",
                    patch.at("artifact"),
                    self._meant(patch.artifact),
                )

    def _meant(self, name: str) -> str:
        own_file = next((creation for creation, _ in self._made if creation.path == name), None)
        if own_file is not None:
            where = f"'{own_file.source}'" if own_file.source else "its `text`"
            return f"it is a file of your own: edit {where}"
        near = closest(name, self._paths)
        return f"did you mean '{near}'?" if near else "mlops.lock lists the generated files"


_SPEC: Final = "is the spec itself"
_INPUT: Final = "is a file the spec is made from"


def _position(patch: Patch | Creation) -> int:
    """Its place in the list: a patch has the same in every environment."""
    return int(patch.origin[-1])


def _has(patch: Patch, key: str) -> bool:
    return patch.merge is not None if key == "merge" else bool(patch.replacements)


def _of_which(finding: Finding, patch: Patch, path: str) -> Finding:
    """The finding with the file it is about, where the patch does not name one."""
    if WILD.isdisjoint(patch.artifact) or path in finding.message:
        return finding
    return replace(finding, message=f"{finding.message} (in {path})")


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path
