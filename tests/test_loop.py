"""The loop closed on real data: what each stage found, held to what has to be true.

One run of all stages serves this file (the fixture `loop_run`); the numbers come from real flights
and a seeded training, so they lie in narrow bands.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tools
from loop import __main__ as demo
from loop import images
from loop.gitlab import JOB_TOKEN, PROJECT_ID, TRIGGER_TOKEN, GitLab
from loop.stage import LoopError, Run, Stage, perform, perform_beside, restore

if TYPE_CHECKING:
    from loop.stage import Facts

SLICES = [f"origin = {airport}" for airport in ("EWR", "JFK", "LGA")]


@pytest.fixture(scope="module")
def facts(loop_run: Run) -> dict[str, Facts]:
    return loop_run.facts


# From the spec to a version that runs


def test_the_check_has_nothing_but_the_missing_version_to_say(facts: dict[str, Facts]) -> None:
    """No version is chosen yet, and the online store is a file of this machine."""
    assert sorted(facts["compile"]["findings"]) == ["R306", "R504"]
    assert facts["compile"]["rows"] == {"flights": 137915, "weather": 10854}


def test_the_pipeline_runs_every_job_up_to_the_promotion(facts: dict[str, Facts]) -> None:
    assert set(facts["train"]["jobs"].values()) == {"passed"}
    assert set(facts["train"]["jobs"]) == {
        "check",
        "apply features production",
        "delay:image:train",
        "delay:validate",
        "delay:dataset",
        "delay:train",
        "delay:gate",
        "delay:register",
        "delay:serving-image",
        "delay:promote:staging",
    }
    assert "delay:fetch:staging" in facts["train"]["waiting"], "the champion's image is a click"


def test_the_checkpoints_pass_and_report_the_impossible_wind(facts: dict[str, Facts]) -> None:
    assert facts["train"]["checks"] == {
        "flights": {"success": True, "cases": 32, "warnings": []},
        "weather": {
            "success": True,
            "cases": 32,
            "warnings": ["weather.wind_speed: values to be between"],
        },
    }


def test_the_dataset_is_the_last_180_days_with_two_weeks_to_test_on(
    facts: dict[str, Facts],
) -> None:
    rows = facts["train"]["dataset"]["rows"]
    assert 110_000 < rows["train"] < 118_000
    assert 6_000 < rows["validation"] < 7_000
    assert 12_000 < rows["test"] < 13_000


def test_the_gate_measures_what_these_flights_give(facts: dict[str, Facts]) -> None:
    gate = facts["train"]["gate"]
    assert gate["verdict"] == "passed"
    assert 12.5 < gate["metrics"]["mae"] < 14.5
    assert 0.78 < gate["metrics"]["r2"] < 0.87
    judged = [case["what"] for case in gate["cases"]]
    assert judged[:3] == ["contract", "mae", "r2"]
    assert {what.partition(" where ")[2] for what in judged[3:]} == set(SLICES)
    notes = {case["what"]: case["note"] for case in gate["cases"]}
    assert "no version runs in production yet" in notes["mae"], "there is no champion to compare"


def test_promotion_is_a_commit_that_names_the_version(facts: dict[str, Facts]) -> None:
    assert facts["train"]["version"] == "1"
    assert facts["train"]["merge_request"] == "Promote delay in staging to version 1"
    assert facts["promote"]["versions"] == {"staging": {"delay": "1"}, "production": {"delay": "1"}}
    for name, automatic in (("staging", True), ("production", False)):
        merged = facts["promote"][name]
        assert merged["auto_merge"] is automatic
        assert merged["jobs_of_the_merge_request"] == ["check"], "a promotion trains nothing"
        assert {"mlops.yaml", "mlops.lock", f"k8s/{name}/delay/deployment.yaml"} <= set(
            merged["files"]
        )
        assert merged["jobs"][f"delay:deploy:{name}"] == "passed"
    assert facts["promote"]["staging"]["jobs"]["delay:promote:production"] == "passed"


def test_features_are_read_back_from_the_online_store(facts: dict[str, Facts]) -> None:
    values = facts["features"]["values"]
    assert set(values) == {"temp", "dewp", "wind_speed", "precip", "visib", "pressure"}
    assert 40 < values["temp"] < 100, "a night in New York, the first of June, in Fahrenheit"


# What is stopped


def test_a_bad_batch_is_stopped_for_exactly_its_faults(facts: dict[str, Facts]) -> None:
    stopped = facts["bad_batch"]
    assert set(stopped["failed"]) == {
        "flights.arr_delay: values to not be null",
        "flights.carrier: values to be in set",
        "flights.distance: values to be between",
        "flights: data is late",
    }
    assert "ZZ" in stopped["failed"]["flights.carrier: values to be in set"]
    assert (
        f"{stopped['broken']['distance']} rows"
        in (stopped["failed"]["flights.distance: values to be between"])
    )
    assert stopped["sources"] == {"flights": False, "weather": True}
    assert stopped["jobs"] == {"delay:validate": "failed"}, "nothing that needs the data has begun"
    assert len(stopped["table"]) == 4
    assert all("sources.flights." in line for line in stopped["table"])


def test_a_worse_model_is_stopped_by_the_bounds(facts: dict[str, Facts]) -> None:
    worse = facts["worse_model"]
    assert worse["verdict"] == "failed"
    assert worse["jobs"] == {"delay:train": "passed", "delay:gate": "failed"}
    assert {"mae", "r2"} <= set(worse["failed"])
    assert worse["metrics"]["mae"] > 20
    assert worse["metrics"]["r2"] < 0.1


def test_a_model_within_the_bounds_but_worse_than_the_champion_is_stopped(
    facts: dict[str, Facts],
) -> None:
    bad = facts["by_hand"]["bad"]
    assert bad["verdict"] == "failed"
    assert bad["mae"]["outcome"] == "failed"
    assert "at most 1 worse than 13." in bad["mae"]["wanted"]
    champion = facts["train"]["gate"]["metrics"]["mae"]
    assert champion + 1 < bad["metrics"]["mae"] < 16


# By hand


def test_dvc_and_mlflow_run_the_generated_files(facts: dict[str, Facts]) -> None:
    by_hand = facts["by_hand"]
    assert by_hand["good"]["verdict"] == "passed"
    assert by_hand["good"]["ran"] == ["train", "evaluate"], "the dataset is there already"
    assert by_hand["bad"]["ran"] == ["train", "evaluate"]
    assert by_hand["difference"] < 1e-9, "the same seed, the same data: the same model"


# What is told


def test_every_line_of_the_timeline_names_a_file_that_is_there(loop_run: Run) -> None:
    named = [event for event in loop_run.events if event.file is not None]
    assert len(named) > 0.8 * len(loop_run.events)
    for event in named:
        _assert_line_exists(loop_run.project, str(event.file))
        if event.spec is not None:
            _assert_line_exists(loop_run.project, event.spec)
    with_spec = [event for event in named if event.spec is not None]
    assert len(with_spec) > 0.7 * len(named)


def _assert_line_exists(project: Path, place: str) -> None:
    path, _, line = place.partition(":")
    assert (project / path).is_file(), place
    assert not line or int(line) <= len((project / path).read_text("utf-8").splitlines()), place


def test_nothing_was_skipped(loop_run: Run) -> None:
    assert loop_run.skipped == {}


# The runner


def test_an_environment_made_quickly_is_one_of_its_own(loop_run: Run, tmp_path: Path) -> None:
    """It shares pip with the others, and what is installed into it goes nowhere else."""
    made = tmp_path / "made"
    for each in ("made", "other"):
        create = ["python3", "-m", "venv", "--system-site-packages", tmp_path / each]
        loop_run.command("venv", create)
    installed = [made / "bin" / "pip", "install", "--quiet", "mlopsc"]
    loop_run.command("venv-install", installed)
    look = "import importlib.metadata as m, sys, pandas; print(sys.prefix, m.version('mlopsc'))"
    there = loop_run.command("venv-look", [made / "bin" / "python", "-c", look])
    assert there.output.split()[0] == str(made)
    missing = loop_run.command("venv-look", [tmp_path / "other/bin/python", "-c", look], expect=[1])
    assert "PackageNotFoundError" in missing.output


# A run that is interrupted


@pytest.mark.parametrize(
    ("sign", "log"), [(signal.SIGINT, "pipeline-1.log"), (signal.SIGTERM, "make-data.log")]
)
def test_an_interrupted_run_leaves_no_process(
    sign: signal.Signals, log: str, tmp_path: Path, loop_run: Run
) -> None:
    """Interrupted while the generated jobs run, and while a program of the example does."""
    assert loop_run.facts["compile"], "the tools are there"
    home = tmp_path / "home"
    command = [sys.executable, "-m", "loop", "--home", str(home), "--until", "train"]
    process = subprocess.Popen(
        command,
        cwd=tools.ROOT / "tests",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until(lambda: (home / "logs" / log).exists() and _processes_of(home))
        time.sleep(1)  # jobs have begun
        assert _processes_of(home)
        process.send_signal(sign)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert "interrupted" in output
    assert "Traceback" not in output
    assert _processes_of(home) == []


def test_a_folder_of_somebody_else_is_not_emptied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    assert demo.main(["--home", str(tmp_path)]) == 1
    assert (tmp_path / "thesis.md").read_text() == "years of work"
    assert "holds files that are not of an earlier run" in capsys.readouterr().err


def _wait_until(holds: Any, patience: float = 120) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not get there"
        time.sleep(0.1)


def _processes_of(home: Path) -> list[str]:
    """The command lines of processes that work below a home (it is in their environment)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                folder.name != str(os.getpid())
                and f"HOME={home}".encode() in (folder / "environ").read_bytes()
            ):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


# The stand-ins are as strict as what they stand for


@pytest.fixture
def gitlab(tmp_path: Path) -> GitLab:
    services = ("MLFLOW_TRACKING_URI", "FEAST_REGISTRY", "FEAST_ONLINE_STORE_CONNECTION")
    return GitLab(Run(tmp_path, dict.fromkeys(services, "none")), "2013-06-01")


GOOD = f"/api/v4/projects/{PROJECT_ID}/trigger/pipeline"
WEBHOOK = f"/api/v4/projects/airlines%2Fflights/ref/main/trigger/pipeline?token={TRIGGER_TOKEN}&variables[A]=1"


@pytest.mark.parametrize(
    ("method", "path", "form", "status"),
    [
        ("POST", GOOD, f"token={TRIGGER_TOKEN}&ref=main&variables[A]=1", 201),
        ("POST", GOOD, f"token={JOB_TOKEN}&ref=main&variables[A]=1", 201),
        ("POST", WEBHOOK, "", 201),
        ("GET", WEBHOOK, "", 405),
        ("POST", GOOD, "token=wrong&ref=main", 404),
        ("POST", GOOD, f"token={TRIGGER_TOKEN}&ref=other", 400),
        ("POST", GOOD, f"token={TRIGGER_TOKEN}", 400),
        ("POST", GOOD, "ref=main", 400),
        ("POST", "/api/v4/projects/7/trigger/pipeline", f"token={TRIGGER_TOKEN}&ref=main", 404),
        ("POST", "/api/v3/projects/42/trigger/pipeline", f"token={TRIGGER_TOKEN}&ref=main", 404),
    ],
)
def test_the_trigger_api_answers_as_gitlab_does(
    gitlab: GitLab, method: str, path: str, form: str, status: int
) -> None:
    kind = "application/x-www-form-urlencoded"
    answered, _ = gitlab.answer(method, path, kind, form.encode())
    assert answered == status
    asked = gitlab.requests[-1]
    assert (asked.method, asked.status) == (method, status)
    assert asked.variables == ({"A": "1"} if "A" in path + form else {})


def test_a_form_of_curl_is_read(gitlab: GitLab) -> None:
    border = "------------------------d74496d66958873e"
    fields = {"token": JOB_TOKEN, "ref": "main", "variables[MLOPS_MODEL]": "delay"}
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = f"{''.join(parts)}--{border}--\r\n".encode()
    status, _ = gitlab.answer("POST", GOOD, f"multipart/form-data; boundary={border}", body)
    assert status == 201
    assert gitlab.requests[-1].variables == {"MLOPS_MODEL": "delay"}


def test_a_webhooks_payload_is_kept(gitlab: GitLab) -> None:
    status, _ = gitlab.answer("POST", WEBHOOK, "application/json", b'{"status": "firing"}')
    assert status == 201
    assert gitlab.requests[-1].payload == {"status": "firing"}


def test_an_image_holds_what_its_dockerfile_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, store = tmp_path / "context", tmp_path / "store"
    (context / "model").mkdir(parents=True)
    (context / "model" / "weights").write_text("1")
    (context / "Dockerfile").write_text(
        'FROM python:3.11\nENV A=1 \\\n  B="2 3"\nWORKDIR /srv\nRUN pip install \\\n  x\n'
        'COPY --chown=1:1 model ./model/\nENTRYPOINT ["serve", "."]\n'
    )
    monkeypatch.setenv(images.STORE, str(store))
    monkeypatch.setenv(images.REGISTRY, "registry.example.com")
    build = [
        "build",
        "--frontend",
        "dockerfile.v0",
        "--local",
        f"context={context}",
        "--local",
        f"dockerfile={context}",
    ]
    name = "registry.example.com/a/b:1"
    assert images.main([*build, "--output", f"type=image,name={name},push=true"]) == 0
    image, root = images.read(store, name)
    assert (root / "srv" / "model" / "weights").read_text() == "1"
    assert image.entrypoint == ["serve", "."]
    assert image.environment == {"A": "1", "B": "2 3"}
    assert image.commands == ["pip install x"]

    (context / "Dockerfile").write_text(f"FROM {name}\n")
    assert images.main(build) == 0, "a probe finds what was pushed"
    (context / "Dockerfile").write_text("FROM registry.example.com/a/b:2\n")
    assert images.main(build) == 1, "and does not find what was not"
    (context / "Dockerfile").write_text("FROM python:3.11\nCOPY missing ./\n")
    assert images.main(build) == 1


# A run is taken up again where a stage left it


def test_a_stage_begins_with_what_the_one_before_it_left(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    run = Run(tmp_path, environment)

    def first(run: Run) -> Facts:
        run.project.mkdir()
        (run.project / "file").write_text("from the first")
        run.say("first")
        return {"number": 1}

    def second(run: Run) -> Facts:
        (run.project / "file").write_text("from the second")
        return {"number": run.facts["first"]["number"] + 1}

    def third(run: Run) -> Facts:
        raise AssertionError(run)

    perform(
        run,
        [
            Stage("first", "", first),
            Stage("second", "", second),
            Stage("third", "", third, needs=("no-such-program",)),
            Stage("fourth", "", third, after=("third",)),
        ],
    )
    assert run.facts == {"first": {"number": 1}, "second": {"number": 2}}
    assert run.skipped == {"third": "no-such-program not found", "fourth": "it follows third"}

    again = restore(tmp_path, "second", environment)
    assert (again.project / "file").read_text() == "from the first"
    assert again.facts == {"first": {"number": 1}}
    assert [event.text for event in again.events] == ["first"]
    with pytest.raises(LoopError, match="no stage 'never' has begun"):
        restore(tmp_path, "never", environment)


def test_stages_beside_each_other_share_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "db").write_text("before")
    database = f"sqlite:///{tmp_path}/services/db"
    run = Run(tmp_path, {"PATH": os.environ["PATH"], "DB": database})

    def watch(run: Run) -> Facts:
        (tmp_path / "services" / "db").write_text("watched")
        run.say("watched")
        return {}

    def refuse(run: Run) -> Facts:
        own = Path(run.environment["DB"].removeprefix("sqlite:///"))
        own.write_text("refused")
        run.say("refused")
        return {"own": str(own)}

    perform_beside(run, [Stage("watch", "", watch)], [Stage("refuse", "", refuse)])
    assert set(run.facts) == {"watch", "refuse"}
    assert {event.text for event in run.events} == {"watched", "refused"}
    assert [event.moment for event in run.events] == sorted(event.moment for event in run.events)
    assert (tmp_path / "services" / "db").read_text() == "watched"
    assert Path(run.facts["refuse"]["own"]).read_text() == "refused"


def test_when_one_of_two_fails_the_other_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    run = Run(tmp_path, {"PATH": os.environ["PATH"]})

    def fail(run: Run) -> Facts:
        _wait_until((run.home / "logs" / "long.log").exists, 10)
        raise LoopError("it is broken")

    def wait(run: Run) -> Facts:
        run.command("long", ["sleep", "300"], cwd=tmp_path)
        return {}

    began = time.monotonic()
    with pytest.raises(LoopError, match="it is broken"):
        perform_beside(run, [Stage("fail", "", fail)], [Stage("wait", "", wait)])
    assert time.monotonic() - began < 20
    assert set(run.facts) == set()


def test_a_command_that_fails_says_how(tmp_path: Path) -> None:
    run = Run(tmp_path, {"PATH": os.environ["PATH"]})
    with pytest.raises(LoopError, match=re.compile("went wrong", re.DOTALL)):
        run.command("fails", ["sh", "-c", "echo went wrong; exit 3"], cwd=tmp_path)
    with pytest.raises(LoopError, match=r"did not end in 0\.2 s"):
        run.command("hangs", ["sh", "-c", "sleep 60 & sleep 60"], cwd=tmp_path, timeout=0.2)
