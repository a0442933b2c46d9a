"""Whatever people do to a project between compiles: theirs stays theirs, ours becomes right."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlopsc.diagnostics.finding import Rejected
from workspace.projects import compile_into, everything, kinds, plan_for

# Few paths, and such as get in each other's way.
PATHS = ("a", "a/b", "a/b/c", "d", "d/e", "d/f/g", ".gitlab-ci.yml")
paths = st.sampled_from(PATHS)


def compatible(chosen: set[str]) -> bool:
    return not any(one.startswith(f"{other}/") for one in chosen for other in chosen)


artifact_sets = st.dictionaries(paths, st.sampled_from(["one\n", "two\n", ""]), max_size=4).filter(
    lambda texts: compatible(set(texts))
)


class Project(RuleBasedStateMachine):
    """A project, what its user wrote into it, and what was compiled last."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.root = self.outer / "project"
        (self.outer / "outside").mkdir()
        (self.outer / "outside/kept").write_text("outside\n")
        self.root.mkdir()
        self.mine: dict[str, str] = {}  # what the user made: text, "folder" or "link …"
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.outer)

    # --- the user ----------------------------------------------------------------------------

    def clear(self, path: str) -> None:
        """Remove what stands at a path, as a person would before putting something else there."""
        place = self.root / path
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        self.mine = {
            key: text
            for key, text in self.mine.items()
            if key.rstrip("/") != path and not key.startswith(f"{path}/")
        }

    def make_room(self, path: str) -> bool:
        """Whether the folder of `path` is, or could be made, a real folder."""
        for folder in reversed(Path(path).parents):
            place = self.root / folder
            if place.is_symlink() or place.is_file():
                return False
            place.mkdir(exist_ok=True)
        return True

    @rule(path=paths)
    def writes(self, path: str) -> None:
        if self.make_room(path) and not (self.root / path).is_dir():
            self.clear(path)
            self.count += 1
            self.mine[path] = f"mine {self.count}\n"
            (self.root / path).write_text(self.mine[path])

    @rule(path=paths)
    def deletes(self, path: str) -> None:
        if not any(p.is_symlink() for p in (self.root / path).parents):
            self.clear(path)

    @rule(path=paths, goal=st.sampled_from(["outside", "outside/kept", "nowhere"]))
    def links(self, path: str, goal: str) -> None:
        if self.make_room(path):
            self.clear(path)
            (self.root / path).symlink_to(self.outer / goal)
            self.mine[path] = f"link to {self.outer / goal}"

    @rule(path=paths)
    def makes_a_folder_with_something_in_it(self, path: str) -> None:
        if self.make_room(f"{path}/own"):
            self.mine[f"{path}/own"] = "own\n"
            (self.root / path / "own").write_text("own\n")

    @rule()
    def deletes_the_lock(self) -> None:
        (self.root / "mlops.lock").unlink(missing_ok=True)
        self.adopt_all()

    @precondition(lambda self: (self.root / "mlops.lock").exists())
    @rule(mark=st.sampled_from(["<<<<<<< HEAD\n", "half a li"]))
    def merges_badly(self, mark: str) -> None:
        with (self.root / "mlops.lock").open("a") as lock:
            lock.write(mark)
        self.adopt_all()

    def adopt_all(self) -> None:
        """Without a lock every file counts as the user's, until it is found equal to ours."""
        for path, text in self.files().items():
            self.mine.setdefault(path, text)

    # --- the compiler ------------------------------------------------------------------------

    def files(self) -> dict[str, str]:
        found = everything(self.root)
        return {
            path: text
            for path, text in found.items()
            if not path.endswith("/") and path != "mlops.lock"
        }

    @rule(texts=artifact_sets, partial=st.booleans())
    def compiles(self, texts: dict[str, str], partial: bool) -> None:
        before = everything(self.root)
        try:
            compile_into(self.root, texts, partial=partial)
        except Rejected:
            assert everything(self.root) == before
            return
        self.is_compiled(texts, partial=partial)

    @rule(texts=artifact_sets)
    def settles_and_compiles(self, texts: dict[str, str]) -> None:
        for _ in range(2 * len(PATHS)):
            plan = plan_for(self.root, texts)
            errors = [finding for finding in plan.findings if finding.severity == "error"]
            if not errors:
                break
            for finding in errors:
                self.clear(finding.at.file)  # type: ignore[union-attr]
        compile_into(self.root, texts)
        self.is_compiled(texts, partial=False)

    def is_compiled(self, texts: dict[str, str], *, partial: bool) -> None:
        found = self.files()
        assert {path: found[path] for path in texts} == texts
        for path in texts:  # it was equal: taken over
            self.mine.pop(path, None)
        if not partial:
            assert found == {**self.mine, **texts}
        plan = plan_for(self.root, texts, partial=partial)
        assert not plan.findings
        assert kinds(plan) == dict.fromkeys(texts, "keep")
        assert not plan.litter
        again = everything(self.root)
        compile_into(self.root, texts, partial=partial)
        assert everything(self.root) == again

    # --- always ------------------------------------------------------------------------------

    @invariant()
    def what_is_mine_is_untouched(self) -> None:
        found = everything(self.root)
        assert {path: found.get(path) for path in self.mine} == self.mine

    @invariant()
    def nothing_outside_changed(self) -> None:
        assert everything(self.outer / "outside") == {"kept": "outside\n"}

    @invariant()
    def nothing_is_left_lying_about(self) -> None:
        assert not [path for path in everything(self.root) if path.endswith(".mlopsc-new")]


TestProject = Project.TestCase
TestProject.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
