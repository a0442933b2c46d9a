"""The stages from the spec to a model that runs: what GitLab's pipelines do with the generated files."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from loop import images, workspace
from loop.gitlab import NOT_HERE, GitLab, Job, Pipeline
from loop.servers import Servers, pushgateway
from loop.stage import LoopError, Stage, run_has
from loop.workspace import BRANCH, git
from mlopsc.project.conventions import LOCK_FILE, SPEC_FILE
from readers.lock import generated_paths

if TYPE_CHECKING:
    from loop.stage import Facts, Run

TRAINED_ON = "2013-06-01T04:00:00Z"
"""Midnight in New York: the model learns from January to May."""
MODEL = "delay"
VIEW = "airport_weather"
FACTS = "mlops/models/delay.json"
JOBS = ".gitlab/ci/models/delay.yml"
DEPLOYMENTS = ".gitlab/ci/deployments/delay.yml"
PIPELINE = ".gitlab-ci.yml"
TOOLS = ("git", "gitlab-ci-local", "node", "rsync", "feast", "mlflow")


def compile_project(run: Run) -> Facts:
    """A checkout with data up to the end of May, and no version chosen yet."""
    workspace.create(run)
    rows = workspace.set_data(run, TRAINED_ON)
    for name, count in rows.items():
        run.say(
            f"data/{name}.parquet: {count:,} rows, January to May 2013",
            f"mlops/sources/{name}.json",
            f'"{name}"',
        )
    workspace.change_spec(run, _as_it_begins)
    files = generated_paths(run.project / LOCK_FILE)
    said = workspace.mlopsc(run, "check", "--format", "json").output
    findings = [finding["code"] for finding in json.loads(said)["diagnostics"]]
    run.say(
        f"compiled: {len(files)} files; check ends with 0 and says {', '.join(findings) or 'nothing'}",
        LOCK_FILE,
    )
    return {"files": files, "findings": findings, "rows": rows, "now": TRAINED_ON}


def _as_it_begins(spec: Any) -> None:
    """Nothing is registered yet, so nothing can run: the promote job writes the line again.

    And the weather is looked up online as well, in sqlite: the example itself never asks for that.
    """
    del spec["environments"]["production"]["versions"]
    spec["features"][VIEW]["materialize"] = "1h"


# Train, promote, deploy


def train(run: Run) -> Facts:
    """The pipeline of the first push: from the data checks to a merge request for staging."""
    workspace.commit(run, "One spec, and what it compiles to")
    run.say(
        f"left out here: {', '.join(NOT_HERE)}: there is one Feast registry, and no schedule",
        PIPELINE,
        f"{NOT_HERE[0]}:",
    )
    with Servers(run) as servers:
        gateway = pushgateway(servers).url if run_has(run, "pushgateway") else ""
        gitlab = GitLab(run, TRAINED_ON, {"PUSHGATEWAY_URL": gateway})
        pipeline = gitlab.push()
    checks = _checks(run, pipeline)
    dataset = _dataset(run, pipeline)
    gate = _gate(run, pipeline)
    registered = _dotenv(pipeline.artifact("delay:register", "build/delay/register/register.env"))
    version = registered["MLOPS_MODEL_VERSION"]
    run.say(
        f"register: version {version} of '{MODEL}' in MLflow, alias challenger", FACTS, '"registry"'
    )
    reference = f"registry.example.com/airlines/flights/{MODEL}:{version}"
    image, _ = images.read(Path(run.environment[images.STORE]), reference)
    run.say(
        f"serving image {image.reference} laid out (no container engine here: no layer is built)",
        "images/serving-delay/Dockerfile",
        "COPY --chown",
    )
    (request,) = gitlab.merge_requests()
    run.say(f"promote: merge request '{request.title}'", JOBS, "delay:promote:staging:")
    return {
        "jobs": _outcomes(pipeline),
        "waiting": list(pipeline.waiting),
        "checks": checks,
        "dataset": dataset,
        "gate": gate,
        "version": version,
        "run": registered["MLOPS_RUN"],
        "image": image.reference,
        "merge_request": request.title,
        "pipeline": _relative(run, pipeline.folder),
        "artifacts": {name: _relative(run, job.artifacts) for name, job in pipeline.jobs.items()},
        "data_docs": _relative(
            run, pipeline.artifact("delay:validate", "build/validate/data_docs")
        ),
    }


def _checks(run: Run, pipeline: Pipeline) -> Facts:
    """What the checkpoints found."""
    found = _json(pipeline.artifact("delay:validate", "build/validate/validate.json"))
    told: Facts = {}
    for source, result in found.items():
        cases = result["cases"]
        warned = [case for case in cases if case["outcome"] == "warning"]
        told[source] = {
            "success": result["success"],
            "cases": len(cases),
            "warnings": [case["what"] for case in warned],
        }
        notes = "".join(f"; warning: {case['what']}: {case['found']}" for case in warned)
        run.say(
            f"checkpoint of {source}: {len(cases)} expectations, {'passed' if result['success'] else 'failed'}{notes}",
            f"gx/checkpoints/{source}_production.json",
            '"name"',
        )
    return told


def _dataset(run: Run, pipeline: Pipeline) -> Facts:
    described: Facts = _json(pipeline.artifact("delay:dataset", "build/delay/data/dataset.json"))
    rows = described["rows"]
    run.say(
        f"dataset: {rows['train']:,} + {rows['validation']:,} + {rows['test']:,} rows "
        f"(train, validation, test), weather joined by Feast",
        FACTS,
        '"split"',
    )
    return {"rows": rows, "window": described["window"]}


def _gate(run: Run, pipeline: Pipeline) -> Facts:
    """What the gate measured, with a line for each bound."""
    verdict: Facts = _json(pipeline.artifact("delay:gate", "build/delay/gate/gate.json"))
    cases = verdict["cases"]
    slices = [case for case in cases if " where " in case["what"]]
    for case in cases:
        if case not in slices:
            say_case(run, "gate", case)
    held = sum(case["outcome"] == "passed" for case in slices)
    run.say(f"gate: {held} of {len(slices)} bounds hold on the slices", FACTS, '"slices"')
    return {"verdict": verdict["verdict"], "metrics": verdict["metrics"], "cases": verdict["cases"]}


def say_case(run: Run, who: str, case: Facts) -> None:
    """A line of the gate's table, with the line of the facts that asked for it."""
    found = f" {case['found']}" if case["found"] else ""
    wanted = f" ({case['wanted']})" if case["wanted"] else ""
    note = f", {case['note']}" if case["note"] else ""
    run.say(
        f"{who}: {case['what']}{found}{wanted}: {case['outcome']}{note}", FACTS, f'"{case["spec"]}"'
    )


def promote(run: Run) -> Facts:
    """Merge requests into staging and production, each a commit; deployed by the pipelines after it."""
    gitlab = GitLab(run, TRAINED_ON)
    version = run.facts["train"]["version"]
    staging = _merge(run, gitlab, "staging", version)
    pipeline = gitlab.push()
    run.say(
        "deployed to staging; the next merge request waits for an approver",
        DEPLOYMENTS,
        "delay:deploy:staging:",
    )
    production = _merge(run, gitlab, "production", version)
    released = gitlab.push(manual=("delay:deploy:production",))
    run.say("deployed to production, started by a person", DEPLOYMENTS, "delay:deploy:production:")
    spec = yaml.safe_load((run.project / SPEC_FILE).read_text("utf-8"))
    return {
        "versions": {name: body.get("versions", {}) for name, body in spec["environments"].items()},
        "staging": staging | {"jobs": _outcomes(pipeline)},
        "production": production | {"jobs": _outcomes(released)},
        "commit": git(run, "rev-parse", "HEAD"),
    }


def _merge(run: Run, gitlab: GitLab, environment: str, version: str) -> Facts:
    """Merge, as GitLab does when the request's own pipeline has nothing against it."""
    request = gitlab.merge_requests()[-1]
    before = git(run, "rev-parse", BRANCH)
    of_request = {"CI_MERGE_REQUEST_ID": "1", "CI_COMMIT_BRANCH": ""}
    listed = gitlab.listed("merge_request_event", before, of_request, request.branch)
    merged = gitlab.merge(request)
    workspace.mlopsc(run, "check")
    files = git(run, "diff", "--name-only", before, merged).splitlines()
    how = "merged itself" if request.auto_merge else "merged by an approver"
    run.say(
        f"'{request.title}': a commit of {len(files)} files, {how}",
        f"k8s/{environment}/{MODEL}/deployment.yaml",
        "app.kubernetes.io/version:",
    )
    return {
        "title": request.title,
        "auto_merge": request.auto_merge,
        "files": files,
        "jobs_of_the_merge_request": listed,
    }


# Features for serving


def features(run: Run) -> Facts:
    """The generated materialization into sqlite, and one airport's weather read back."""
    airport = "JFK"
    program = ["python", "-c", _MATERIALIZE_AND_READ, VIEW, airport, TRAINED_ON]
    result = run.command("materialize", program)
    values: Facts = json.loads(result.output.splitlines()[-1])
    run.say(
        f"{VIEW} materialized to sqlite; {airport} reads back {values['temp']:.0f} °F, wind {values['wind_speed']:.0f} mph",
        "feature_repo/definitions.py",
        f'name="{VIEW}"',
    )
    return {"view": VIEW, "entity": airport, "values": values}


_MATERIALIZE_AND_READ = """
import json, sys
from mlops import materialize
view, airport, now = sys.argv[1:]
code = materialize.main(["--view", view, "--now", now])
if code:
    sys.exit(code)
from feast import FeatureStore
store = FeatureStore(repo_path="feature_repo")
fields = [field.name for field in store.get_feature_view(view).features]
found = store.get_online_features([f"{view}:{name}" for name in fields], [{"origin": airport}]).to_dict()
print(json.dumps({name: found[name][0] for name in fields}))
"""


# What is stopped


def bad_batch(run: Run) -> Facts:
    """A merge request with broken data: the checkpoint ends with 1 and says what is wrong."""
    gitlab = GitLab(run, TRAINED_ON, {"PUSHGATEWAY_URL": ""})
    clone = gitlab.clone_to_change("bad-batch", run.facts["promote"]["commit"])
    broken = workspace.break_data(clone / "data" / "flights.parquet")
    workspace.commit(run, "This week's flights", clone)
    pipeline = gitlab.propose(
        clone,
        "bad-batch",
        jobs=("delay:validate", "delay:dataset"),
        expect_failed=("delay:validate",),
    )
    report = _json(pipeline.artifact("delay:validate", "build/validate/validate.json"))
    failed = [case for case in report["flights"]["cases"] if case["outcome"] == "failed"]
    for case in failed:
        run.say(
            f"stopped: {case['what']}: {case['found']}",
            "gx/expectations/flights.json",
            f'"{case["spec"]}"',
        )
    return {
        "broken": broken,
        "failed": {case["what"]: case["found"] for case in failed},
        "sources": {name: result["success"] for name, result in report.items()},
        "jobs": _outcomes(pipeline),
        "table": _table(pipeline),
        "data_docs": _relative(
            run, pipeline.artifact("delay:validate", "build/validate/data_docs")
        ),
    }


def _table(pipeline: Pipeline) -> list[str]:
    """The lines of the job's log that are the table of what failed."""
    log = pipeline.jobs["delay:validate"].log.read_text("utf-8").splitlines()
    return [line.rstrip() for line in log if line.startswith("failed ")]


def worse_model(run: Run) -> Facts:
    """A merge request whose training mixes up rows and labels: the gate ends with 1."""
    gitlab = GitLab(run, TRAINED_ON)
    clone = gitlab.clone_to_change("worse-model", run.facts["promote"]["commit"])
    program = clone / "src" / "train.py"
    text = program.read_text("utf-8")
    if text.count(FITTED) != 1:
        raise LoopError(f"{program} has no line {FITTED!r} to break")
    program.write_text(text.replace(FITTED, SHUFFLED), "utf-8")
    workspace.commit(run, "Train on shuffled rows", clone)
    pipeline = gitlab.propose(
        clone,
        "worse-model",
        jobs=("delay:train", "delay:gate"),
        seeds=[_job(run, "delay:image:train"), _job(run, "delay:dataset")],
        expect_failed=("delay:gate",),
    )
    verdict = _json(pipeline.artifact("delay:gate", "build/delay/gate/gate.json"))
    failed = [case for case in verdict["cases"] if case["outcome"] == "failed"]
    run.say(
        f"a training that mixes up rows and labels is stopped: {len(failed)} bounds do not hold",
        JOBS,
        "delay:gate:",
    )
    for case in failed[:2]:
        say_case(run, "gate", case)
    return {
        "change": {"from": FITTED.strip(), "to": SHUFFLED.strip()},
        "verdict": verdict["verdict"],
        "metrics": verdict["metrics"],
        "failed": {case["what"]: case["wanted"] for case in failed},
        "jobs": _outcomes(pipeline),
    }


FITTED = "    model.fit(inputs(train), train[TARGET])\n"
SHUFFLED = "    model.fit(inputs(train), train[TARGET].sample(frac=1, random_state=0))\n"
"""Labels in another order than their rows: a mistake that nothing but the numbers shows."""


def _job(run: Run, name: str) -> Job:
    """A job of the pipeline that trained what runs."""
    trained = run.facts["train"]
    log = run.home / trained["pipeline"]
    return Job(name, trained["jobs"][name], run.home / trained["artifacts"][name], log)


# The same files, by hand

ENOUGH_TREES, TOO_FEW_TREES = 40, 18
"""As good as 200 within a tenth of a minute, and more than a minute worse, yet inside the bound."""


def by_hand(run: Run) -> Facts:
    """On a laptop, with the generated dvc.yaml and MLproject: fewer trees, and too few.

    The dataset is the pipeline's: `dvc commit` says that it is what the first stage makes.
    """
    gitlab = GitLab(run, TRAINED_ON)
    clone = gitlab.clone_to_change("fewer-trees", run.facts["promote"]["commit"])
    shutil.copytree(_job(run, "delay:dataset").artifacts / "build", clone / "build")
    run.command("dvc-init", ["dvc", "init", "--quiet"], cwd=clone)
    run.command("dvc-commit", ["dvc", "commit", "--force", "delay-dataset"], cwd=clone)
    _set_trees(run, clone, ENOUGH_TREES)
    with ThreadPoolExecutor(2) as both:
        tracked = both.submit(_mlflow_run, run, clone)
        good = _dvc_repro(run, clone, ENOUGH_TREES, expect=0)
        difference = _largest_difference(clone / "build/delay/out", tracked.result())
    run.say(
        f"`mlflow run` of delay-train predicts the same (largest difference {difference:g} minutes)",
        "MLproject",
        "delay-train:",
    )
    _set_trees(run, clone, TOO_FEW_TREES)
    bad = _dvc_repro(run, clone, TOO_FEW_TREES, expect=255)
    return {"good": good, "bad": bad, "difference": difference}


def _set_trees(run: Run, clone: Path, count: int) -> None:
    def change(spec: Any) -> None:
        spec["models"][MODEL]["training"]["parameters"]["max_iter"] = count

    workspace.change_spec(run, change, clone)


def _dvc_repro(run: Run, clone: Path, trees: int, expect: int) -> Facts:
    """Train and judge; DVC ends with 255 when a stage of it fails."""
    result = run.command(
        f"dvc-repro-{trees}", ["dvc", "repro", "delay-evaluate"], expect=(expect,), cwd=clone
    )
    verdict = _json(clone / "build/delay/gate/gate.json")
    case = next(case for case in verdict["cases"] if case["what"] == "mae")
    run.say(
        f"`dvc repro` with {trees} trees: mae {case['found']} ({case['wanted']}): {case['outcome']}",
        "dvc.yaml",
        "delay-evaluate:",
    )
    ran = [
        name
        for name in ("dataset", "train", "evaluate")
        if f"Running stage 'delay-{name}'" in result.output
    ]
    return {
        "trees": trees,
        "ran": ran,
        "verdict": verdict["verdict"],
        "mae": case,
        "metrics": verdict["metrics"],
    }


def _mlflow_run(run: Run, clone: Path) -> Path:
    """Train through the generated MLproject, into a folder of its own."""
    out = clone / "build" / "mlflow"
    parameters = [f"-Pdata={clone / 'build/delay/data'}", f"-Pout={out}"]
    run.command(
        "mlflow-run",
        [
            "mlflow",
            "run",
            clone,
            "--entry-point",
            "delay-train",
            "--env-manager",
            "local",
            "--experiment-name",
            "by-hand",
            *parameters,
        ],
        cwd=clone,
    )
    return out


def _largest_difference(one: Path, other: Path) -> float:
    import pyarrow.parquet as pq

    columns = [
        pq.read_table(folder / "predictions.parquet")["predicted_delay"].to_numpy()
        for folder in (one, other)
    ]
    return float(abs(columns[0] - columns[1]).max())


# Facts


def _outcomes(pipeline: Pipeline) -> dict[str, str]:
    return {name: job.outcome for name, job in pipeline.jobs.items()}


def _relative(run: Run, path: Path) -> str:
    return path.relative_to(run.home).as_posix()


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _dotenv(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text("utf-8").splitlines() if line)


STAGES = (
    Stage("compile", "One spec becomes a project", compile_project, ("git", "python")),
    Stage(
        "train",
        "A push: check, validate, train, gate, register, promote",
        train,
        TOOLS,
        ("compile",),
    ),
    Stage(
        "promote",
        "Versions are commits: to staging, then to production",
        promote,
        (*TOOLS, "kubectl"),
        ("train",),
    ),
)
"""In order; what watches the model comes after."""

BESIDE = (
    Stage("features", "Features go to the online store", features, ("feast",), ("train",)),
    Stage("bad_batch", "A bad batch is stopped by the checkpoint", bad_batch, TOOLS, ("promote",)),
    Stage("worse_model", "A worse model is stopped by the gate", worse_model, TOOLS, ("promote",)),
    Stage(
        "by_hand",
        "The same files on a laptop: dvc repro, mlflow run",
        by_hand,
        ("git", "dvc", "mlflow"),
        ("promote",),
    ),
)
"""What leaves the project as it is, and can run beside what watches the model."""
