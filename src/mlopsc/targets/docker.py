"""Docker: the images of `images`, and one for each served model: the model in its runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import JsonDraft, TextDraft, traced
from mlopsc.project import containers, conventions
from mlopsc.project.containers import KUBERNETES, USER
from mlopsc.project.conventions import decision
from mlopsc.project.runtimes import CUSTOM, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlopsc.artifacts.draft import Body, Draft
    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import Image, Model, Project, Serving
    from mlopsc.project.runtimes import Runtime

name: Final = "docker"

DECISIONS: Final[dict[str, str]] = {
    "docker_user": (
        "a number above 10000, so that `runAsNonRoot` can be proven and it is no user of the node"
    ),
    "docker_pins": (
        "the runtime's version is fixed by the version of mlopsc; its metrics, its settings and its"
        " alerts are known for this one"
    ),
    "docker_model_requirements": (
        "one resolution for the server and for what the model was trained with: a model that loads"
        " other versions than it was saved with may fail, or answer differently"
    ),
    "docker_metrics": "without this setting the runtime does not expose what the alerts read",
    "docker_worker": (
        "the model computes in a process of its own, so that health and metrics answer under load"
        " (https://mlserver.readthedocs.io/en/latest/user-guide/parallel-inference.html)"
    ),
    "docker_scratch": "the root is read-only in Kubernetes; the server's own files go to /tmp",
}

INCOMPATIBLE: Final = {
    # Worker processes end at once with uvloop 0.22, whose get_event_loop() no longer makes one:
    # "There is no current event loop in thread 'MainThread'". Seen with mlserver 1.7.1.
    "mlserver": ("uvloop==0.21.0",),
}
"""Pins beside the runtime's own, for packages it does not bound and does not work with."""

GRPC: Final = (8081, 8083, 8084)  # MLServer's own port for gRPC, or one that nothing else has


def emit(project: Project) -> Iterator[Draft]:
    """The Dockerfiles, and what their builds read beside them."""
    for image in project.images:
        if image.dockerfile is None:
            yield _job(project, image)
    for model in project.models:
        serving = model.serving
        if serving is not None and is_built(model):
            yield from _serving(project, model, serving, RUNTIMES[serving.runtime])


def is_built(model: Model) -> bool:
    """Whether the model's serving image is ours: its runtime is known, and no image is named."""
    serving = model.serving
    return (
        serving is not None
        and serving.image is None
        and serving.runtime in RUNTIMES
        and model.platform.serving == KUBERNETES
    )


def _job(project: Project, image: Image) -> Draft:
    context = {
        "python": image.python,
        "python_origin": image.at("python"),
        "packages": _installed(image),
        "packages_because": (image.origin,),
        "requirements": _requirements(project, image),
        "code": [(path, _asking(project, path)) for path in containers.code_paths(project, image)],
        "title": f"{project.name} {image.name}",
        "source": _source(project),
        "user": USER,
    }
    path = conventions.dockerfile(image.name)
    return TextDraft(path, image.origin, "docker/job.Dockerfile.j2", context)


def _asking(project: Project, path: str) -> tuple[Path, ...]:
    """What asks for a file or folder of the user's code: functions in it, or what trains again."""
    functions = tuple(
        view.at("python")
        for view in project.on_demand_views
        if f"{view.module.replace('.', '/')}.py".startswith(f"{path}/")
        or f"{view.module}.py" == path
    )
    training = (model.training for model in project.models if model.training is not None)
    trained = tuple(
        one.at("paths") for one in training if any(glob.startswith(path) for glob in one.paths)
    )
    return (*trained, *functions) or (("models",),)


def _requirements(project: Project, image: Image) -> list[tuple[str, str, Path]]:
    """The files pip installs: path, folder in the image, cause."""
    found = []
    if image.requirements is not None:
        found.append((image.requirements, image.at("requirements")))
    if containers.runs_programs(project, image):
        found.append((conventions.PROGRAM_REQUIREMENTS, ("models",)))
    return [(path, f"{path.rpartition('/')[0] or '.'}/", origin) for path, origin in found]


def _serving(project: Project, model: Model, serving: Serving, runtime: Runtime) -> Iterator[Draft]:
    path = conventions.serving_dockerfile(model.name)
    folder = path.rpartition("/")[0]
    metrics = serving.metrics.port if serving.metrics is not None else serving.port
    context = {
        "model": model.name,
        "folder": folder,
        "source_model": f"build/{model.name}/out/model",
        "runtime_origin": serving.at("runtime"),
        "base": runtime.base,
        "needs": runtime.needs,
        "pins": _pins(serving, runtime),
        "format_origin": serving.at("format"),
        "port": serving.port,
        "port_origin": serving.at("port"),
        "ports": tuple(dict.fromkeys((serving.port, metrics))),
        "requirements_promised": serving.format == "mlflow",
        "is_model_directory": serving.format in (CUSTOM, "pytorch"),
        "title": f"{project.name} {model.name}",
        "source": _source(project),
        "user": USER,
        **_python(model, serving, runtime),
        **_packages(model, serving),
    }
    template = f"docker/{serving.runtime}.Dockerfile.j2"
    yield TextDraft(path, serving.origin, template, context)
    if serving.runtime == "mlserver":
        yield JsonDraft(f"{folder}/settings.json", serving.origin, _settings(serving))
        settings = _model_settings(model, serving, runtime)
        yield JsonDraft(f"{folder}/model-settings.json", serving.origin, settings)


def _source(project: Project) -> str | None:
    return f"https://{project.repository}" if project.repository else None


def _pins(serving: Serving, runtime: Runtime) -> list[tuple[str, Path]]:
    """What pip installs of fixed versions, and the key each follows from."""
    at = serving.at("runtime")
    own = runtime.format_packages.get(serving.format, ())
    return [
        *((package, at) for package in runtime.packages),
        *((package, serving.at("format")) for package in own),
        *((package, at) for package in INCOMPATIBLE.get(serving.runtime, ())),
    ]


def _python(model: Model, serving: Serving, runtime: Runtime) -> dict[str, object]:
    """The Python of training: what it pickled, another minor version may not read."""
    image = _training_image(model)
    if image is not None:
        return {"python": image.python, "python_origin": image.at("python")}
    base = runtime.base.removeprefix("python:").removesuffix("-slim")
    return {"python": base, "python_origin": serving.at("runtime")}


def _packages(model: Model, serving: Serving) -> dict[str, object]:
    """Debian packages: those of training, for what it linked is loaded again here."""
    image = _training_image(model)
    packages = _installed(image) if image is not None else []
    because: list[Path] = [image.origin] if image is not None and packages else []
    training = model.training
    frameworks = {serving.format, training.framework if training else ""}
    if "lightgbm" in frameworks and "libgomp1" not in [name for name, _ in packages]:
        # Its wheel brings everything else.
        at = [serving.at("format"), *([training.at("framework")] if training else [])]
        packages.append(("libgomp1", tuple(at)))
        because = because or at
    return {"packages": packages, "packages_because": tuple(because)}


def _installed(image: Image) -> list[tuple[str, tuple[Path, ...]]]:
    """The Debian packages an image asks for, and where it does."""
    return [(name, (image.at("packages", place),)) for place, name in enumerate(image.packages)]


def _training_image(model: Model) -> Image | None:
    used = model.training.image if model.training is not None else None
    if used is None or used.image is None or used.image.dockerfile is not None:
        return None
    return used.image


def _settings(serving: Serving) -> Body:
    """MLServer's own settings. Source: mlserver.settings.Settings of mlserver 1.7.1."""
    metrics = serving.metrics.port if serving.metrics is not None else 8082
    taken = (serving.port, metrics)
    grpc = next(port for port in GRPC if port not in taken)
    scratch = decision("docker_scratch")
    return {
        "debug": False,
        "http_port": traced(serving.port, serving.at("port")),
        "grpc_port": grpc,
        "metrics_port": traced(metrics, serving.at("runtime")),
        "parallel_workers": traced(1, decision("docker_worker")),
        "metrics_dir": traced("/tmp/metrics", scratch),  # noqa: S108 - in the container
        "environments_dir": traced("/tmp/environments", scratch),  # noqa: S108
    }


def _model_settings(model: Model, serving: Serving, runtime: Runtime) -> Body:
    implementation = runtime.implementation[serving.format]
    return {
        "name": traced(model.name, model.origin),
        "implementation": traced(implementation, serving.at("format"), serving.at("runtime")),
        "parameters": {"uri": "./model"},
    }
