"""What the Docker target promises: Dockerfiles a reviewer signs, servers that find their model."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from mlopsc.artifacts.render import render
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.targets import docker
from targets.kubernetes_projects import project, write

if TYPE_CHECKING:
    from pathlib import Path

SERVING = "models__churn__serving"
IMAGE = "images/train/Dockerfile"
SERVER = "images/serving-churn/Dockerfile"

RUNS: dict[str, dict[str, Any]] = {
    "mlserver": {},
    "mlserver sklearn": {f"{SERVING}__format": "sklearn"},
    "triton": {
        f"{SERVING}__runtime": "triton",
        f"{SERVING}__format": "onnx",
        f"{SERVING}__slo": None,
    },
    "triton pytorch": {
        f"{SERVING}__runtime": "triton",
        f"{SERVING}__format": "pytorch",
        f"{SERVING}__slo": None,
    },
    "tfserving": {
        f"{SERVING}__runtime": "tfserving",
        f"{SERVING}__format": "tensorflow",
        f"{SERVING}__slo": None,
    },
    "torchserve": {
        f"{SERVING}__runtime": "torchserve",
        f"{SERVING}__format": "pytorch",
        f"{SERVING}__slo": None,
    },
    "bentoml": {f"{SERVING}__runtime": "bentoml", f"{SERVING}__format": "custom"},
    "no packages": {"images__train": {"python": "3.11"}, "repository": None},
}


def texts(**changes: Any) -> dict[str, str]:
    """Path → text of everything the target makes."""
    return {d.path: render(d, docker.name).text for d in docker.emit(project(**changes))}


def instructions(text: str) -> list[str]:
    """The instructions, each on one line, without comments."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [line for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("run", RUNS)
def test_readers_accept(run: str, tmp_path: Path, accepts: Any) -> None:
    paths = [path for path in write(project(**RUNS[run]), tmp_path) if path.startswith("images/")]
    assert SERVER in paths
    assert IMAGE in paths
    assert accepts(tmp_path, paths) == []


@pytest.mark.parametrize("run", RUNS)
def test_what_hadolint_would_say(run: str) -> None:
    for path, text in texts(**RUNS[run]).items():
        if not path.endswith("Dockerfile"):
            continue
        lines = instructions(text)
        assert "\n\n\n" not in text
        assert not re.search(r"[ \t]$", text, re.MULTILINE)
        (base,) = [line.split()[1] for line in lines if line.startswith("FROM")]
        assert re.search(r":[^:]*[0-9]", base), "DL3006, DL3007: a tagged image, not latest"
        for line in lines:
            if "apt-get install" in line:
                assert "--no-install-recommends" in line, "DL3015"
                assert "--yes" in line, "DL3014"
                assert "rm -rf /var/lib/apt/lists/*" in line, "DL3009"
            if "pip install" in line:
                assert "--no-cache-dir" in line, "DL3042"
                for package in re.findall(r'"([a-z][^"/]*)"', line.split("pip install")[1]):
                    assert "==" in package or package.endswith(".txt"), "DL3013"
            assert not line.startswith("ADD"), "DL3020"
            if line.startswith(("ENTRYPOINT", "CMD")):
                assert all(isinstance(word, str) for word in json.loads(line.split(" ", 1)[1])), (
                    "DL3025"
                )
        users = [line.split()[1] for line in lines if line.startswith("USER")]
        assert users[-1] == "10001:10001", "DL3002"
        workdirs = [line.split()[1] for line in lines if line.startswith("WORKDIR")]
        assert all(folder.startswith("/") for folder in workdirs), "DL3000"


def test_packages_are_installed_before_the_code_is_copied() -> None:
    lines = instructions(texts()[IMAGE])
    install = next(n for n, line in enumerate(lines) if "pip install" in line)
    assert lines[0] == "FROM python:3.12-slim"
    assert "libgomp1" in next(line for line in lines if "apt-get" in line)
    assert lines.index('COPY ["requirements.txt", "./"]') < install
    assert lines.index('COPY ["mlops/requirements.txt", "mlops/"]') < install
    assert install < lines.index('COPY ["src", "src"]')
    assert (
        '--requirement "requirements.txt" --requirement "mlops/requirements.txt"' in lines[install]
    )


def test_ci_has_a_checkout_and_needs_no_code_in_the_image() -> None:
    made = texts(platform={}, services__pushgateway=None)[IMAGE]
    assert '"src"' not in made


def test_an_own_dockerfile_is_left_alone() -> None:
    assert IMAGE not in texts(images__train={"dockerfile": "docker/Dockerfile"})


def test_no_image_for_a_model_that_brings_its_own() -> None:
    made = texts(
        **{
            f"{SERVING}__runtime": "custom",
            f"{SERVING}__format": "custom",
            f"{SERVING}__image": "registry.example.com/server:2.1",
            f"{SERVING}__port": 9000,
            f"{SERVING}__slo": None,
            f"{SERVING}__metrics": {"requests": "requests_total", "errors": 'code=~"5.."'},
        }
    )
    assert SERVER not in made


def test_mlserver_is_pinned_with_what_it_does_not_work_without() -> None:
    lines = instructions(texts()[SERVER])
    (install,) = [line for line in lines if "pip install" in line]
    for pin in (*RUNTIMES["mlserver"].packages, "mlserver-mlflow==1.7.1", "uvloop==0.21.0"):
        assert f'"{pin}"' in install
    assert "build/churn/out/model/requirements.txt" in install
    assert lines[0] == "FROM python:3.12-slim", "the Python that trained is the one that loads"
    assert lines[-1] == 'ENTRYPOINT ["mlserver", "start", "."]'


def test_mlserver_finds_the_model_and_writes_to_tmp_alone() -> None:
    made = texts(**{f"{SERVING}__port": 8081})
    settings = json.loads(made["images/serving-churn/settings.json"])
    model = json.loads(made["images/serving-churn/model-settings.json"])
    assert model == {
        "name": "churn",
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": "./model"},
    }
    assert "WORKDIR /models/churn" in made[SERVER]
    ports = [settings["http_port"], settings["grpc_port"], settings["metrics_port"]]
    assert ports[0] == 8081
    assert len(set(ports)) == 3
    assert settings["metrics_dir"].startswith("/tmp/")
    assert settings["environments_dir"].startswith("/tmp/")


@pytest.mark.parametrize(
    ("run", "place"),
    [
        ("triton", "/models/churn/1/"),
        ("triton pytorch", "/models/churn/"),
        ("tfserving", "/models/churn/1/"),
    ],
)
def test_servers_find_their_repository(run: str, place: str) -> None:
    copied = [line for line in instructions(texts(**RUNS[run])[SERVER]) if line.startswith("COPY")]
    assert copied == [f"COPY --chown=10001:10001 build/churn/out/model {place}"]


@pytest.mark.parametrize("run", ["tfserving", "torchserve"])
def test_what_the_alerts_read_is_switched_on(run: str) -> None:
    made = texts(**RUNS[run])[SERVER]
    for line in RUNTIMES[run].needs:
        assert f"'{line}'" in made


def test_the_serving_image_has_what_training_linked() -> None:
    made = texts(images__train={"python": "3.11"}, models__churn__training__framework="lightgbm")
    assert "libgomp1" in made[SERVER]
    assert "apt-get" not in made[IMAGE]


def test_a_line_names_its_key() -> None:
    (draft,) = [d for d in docker.emit(project()) if d.path == IMAGE]
    artifact = render(draft, docker.name)
    for number, line in enumerate(artifact.text.splitlines(), 1):
        if line.startswith("FROM"):
            inner = [c for c in artifact.causes if c.first <= number <= c.last][-1]
            assert inner.origins == (("images", "train", "python"),)
