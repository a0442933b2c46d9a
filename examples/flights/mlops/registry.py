"""The model registry, MLflow: versions, what was measured of them, and what was kept with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.network import TIMEOUT_SECONDS, is_outage, retried, without_password
from mlops.outcome import CannotRun, asked_by, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops.facts import Environment, ModelFacts, Registry

METRIC_PREFIX = "test_"
"""Of the gate's metrics in the version's run, so that they never meet the training's own."""
REFERENCE = "reference"
"""Folder of the run's artifacts with the reference rows of the monitor."""
TAG_PROJECT, TAG_MODEL, TAG_RESPONSE = "mlops.project", "mlops.model", "mlops.response"


def is_away(error: Exception) -> bool:
    """Whether MLflow did not answer; its client has one kind of error for that and for all else."""
    from mlflow.exceptions import MlflowException, RestException

    if not isinstance(error, MlflowException):
        return is_outage(error)
    if error.error_code in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
        return True
    unanswered = isinstance(error, RestException) or str(error).startswith("API request to ")
    return error.error_code == "INTERNAL_ERROR" and unanswered


class Versions:
    """The versions of one registered model."""

    def __init__(self, registry: Registry) -> None:
        """Connect; CannotRun when MLflow is not installed or its address is not given."""
        self._registry = registry
        self.address = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not self.address:
            raise CannotRun("MLFLOW_TRACKING_URI is not set: it says where MLflow answers")
        # MLflow would try for a quarter of an hour (7 retries of 120 s each), in silence; we try.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_SECONDS))
        # A progress bar is a line of noise for each file in a pipeline's log.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            import mlflow
        except ModuleNotFoundError:
            raise missing_package("mlflow", "the model registry") from None
        mlflow.set_tracking_uri(self.address)
        self.mlflow = mlflow
        self.what = f"MLflow {without_password(self.address)}"
        self.client = self.call(mlflow.MlflowClient)

    def call(self, attempt: Callable[[], Any]) -> Any:
        """One call, retried while MLflow cannot be reached; its own refusals end the program."""
        from mlflow.exceptions import MlflowException

        try:
            return retried(self.what, attempt, is_away)
        except (MlflowException, OSError) as error:
            raise CannotRun(f"{self.what}: {without_password(str(error))}") from None

    def ask(self, attempt: Callable[[], Any], *, otherwise: Any) -> Any:
        """One call, as `call`; `otherwise` when MLflow answers that there is no such thing."""
        from mlflow.exceptions import MlflowException

        def asked() -> Any:
            try:
                return attempt()
            except MlflowException as error:
                # A version or alias that nobody made is INVALID_PARAMETER_VALUE in MLflow 3.
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return otherwise
                raise

        return self.call(asked)

    def find(self, environment: Environment, name: str) -> str | None:
        """The version that runs in an environment; None when none was ever chosen."""
        if environment.version is not None:
            self.version(environment.version, environment.spec or name)
            return environment.version
        return self._by_alias(environment.alias) if environment.alias else None

    def version(self, version: str, spec: str) -> Any:
        """The registered version; CannotRun, naming the spec line, when there is no such version."""
        name = self._registry.name
        found = self.ask(lambda: self.client.get_model_version(name, version), otherwise=None)
        if found is None:
            raise CannotRun(f"MLflow has no version {version} of '{name}' {asked_by(spec)}")
        return found

    def _by_alias(self, alias: str) -> str | None:
        name = self._registry.name
        found = self.ask(
            lambda: self.client.get_model_version_by_alias(name, alias), otherwise=None
        )
        return None if found is None else str(found.version)

    def metrics(self, version: str, spec: str) -> dict[str, float]:
        """What the gate measured of a version, by the metric's name."""
        run = self.call(lambda: self.client.get_run(self.version(version, spec).run_id))
        return {
            name.removeprefix(METRIC_PREFIX): value
            for name, value in run.data.metrics.items()
            if name.startswith(METRIC_PREFIX)
        }

    def kept_reference(self, version: str, spec: str, folder: Path) -> Path:
        """Download the reference that was kept with a version."""
        found = self.version(version, spec)
        listed = self.call(lambda: self.client.list_artifacts(found.run_id, REFERENCE))
        if not listed:
            raise CannotRun(
                f"version {version} of '{self._registry.name}' was registered without a reference "
                f"{asked_by(spec)}"
            )
        return Path(
            self.call(
                lambda: self.mlflow.artifacts.download_artifacts(
                    run_id=found.run_id, artifact_path=REFERENCE, dst_path=str(folder)
                )
            )
        )

    def experiment(self) -> str:
        """The id of the project's experiment, made when it is not there."""
        return str(
            self.call(lambda: self.mlflow.set_experiment(self._registry.experiment)).experiment_id
        )


def versions(facts: ModelFacts) -> Versions:
    """The registry of a model; CannotRun when its project has none."""
    if facts.registry is None:
        raise CannotRun("this project has no model registry: add services.mlflow to mlops.yaml")
    return Versions(facts.registry)


def running_version(facts: ModelFacts, environment: str, found: Versions | None) -> str:
    """The version that runs in an environment.

    The deployment may say it (`MLOPS_MODEL_VERSION`), the spec may, or an alias of the registry.
    The first two must agree: rows of one version must not be compared with the reference of
    another.
    """
    said = os.environ.get("MLOPS_MODEL_VERSION")
    chosen = facts.environments[environment]
    if said and chosen.version and said != chosen.version:
        raise CannotRun(
            f"version {said} runs here (MLOPS_MODEL_VERSION), but {chosen.spec or environment} says "
            f"{chosen.version}: deploy it first, or wait for the rollout"
        )
    version = said or chosen.version
    if (
        version is not None and found is not None
    ):  # what is missing is named by the line that chose it
        found.version(version, chosen.spec or facts.spec)
    elif found is not None:
        version = found.find(chosen, facts.spec)
    if version is None:
        raise CannotRun(
            f"no version of '{facts.model}' runs in {environment}: write environments.{environment}."
            f"versions.{facts.model} in mlops.yaml, or set the alias '{chosen.alias}' in the registry"
        )
    return version
