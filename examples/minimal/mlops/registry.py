"""The model registry, MLflow: versions, what was measured of them, and what was kept with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops.network import TIMEOUT_SECONDS, retried
from mlops.outcome import CannotRun, asked_by, missing_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops.facts import Environment, ModelFacts, Registry

METRIC_PREFIX = "test_"
"""Of the gate's metrics in the version's run, so that they never meet the training's own."""
REFERENCE = "reference"
"""Folder of the run's artifacts with the reference rows of the monitor."""
TAG_PROJECT, TAG_MODEL, TAG_RESPONSE = "mlops.project", "mlops.model", "mlops.response"


class Versions:
    """The versions of one registered model."""

    def __init__(self, registry: Registry) -> None:
        """Connect; CannotRun when MLflow is not installed or its address is not given."""
        self._registry = registry
        self.address = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not self.address:
            raise CannotRun("MLFLOW_TRACKING_URI is not set: it says where MLflow answers")
        # MLflow retries by itself, for minutes; its bound is set to ours before it is imported.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_SECONDS))
        # A progress bar is a line of noise for each file in a pipeline's log.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        try:
            import mlflow
        except ModuleNotFoundError:
            raise missing_package("mlflow", "the model registry") from None
        mlflow.set_tracking_uri(self.address)
        self.mlflow = mlflow
        self.client = mlflow.MlflowClient()

    def call(self, attempt: Callable[[], Any]) -> Any:
        """One call, retried while MLflow cannot be reached; its own refusals end the program."""
        from mlflow.exceptions import MlflowException

        try:
            return retried(
                f"MLflow {self.address}", attempt, lambda error: isinstance(error, OSError)
            )
        except MlflowException as error:
            raise CannotRun(f"MLflow {self.address}: {error.message}") from None

    def find(self, environment: Environment, name: str) -> str | None:
        """The version that runs in an environment; None when none was ever chosen."""
        if environment.version is not None:
            self.version(environment.version, environment.spec or name)
            return environment.version
        return self._by_alias(environment.alias) if environment.alias else None

    def version(self, version: str, spec: str) -> Any:
        """The registered version; CannotRun, naming the spec line, when there is no such version."""
        from mlflow.exceptions import MlflowException

        try:
            return retried(
                f"MLflow {self.address}",
                lambda: self.client.get_model_version(self._registry.name, version),
            )
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise CannotRun(f"MLflow {self.address}: {error.message}") from None
            raise CannotRun(
                f"MLflow has no version {version} of '{self._registry.name}' {asked_by(spec)}"
            ) from None

    def _by_alias(self, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            found = retried(
                f"MLflow {self.address}",
                lambda: self.client.get_model_version_by_alias(self._registry.name, alias),
            )
        except MlflowException as error:
            # An alias nobody set is INVALID_PARAMETER_VALUE in MLflow 3, an unknown model the other.
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise CannotRun(f"MLflow {self.address}: {error.message}") from None
        return str(found.version)

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
                f"version {version} of '{self._registry.name}' was registered without a reference"
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
    version = said or chosen.version or (found.find(chosen, facts.spec) if found else None)
    if version is None:
        raise CannotRun(
            f"no version of '{facts.model}' runs in {environment}: write environments.{environment}."
            f"versions.{facts.model} in mlops.yaml, or set the alias '{chosen.alias}' in the registry"
        )
    return version
