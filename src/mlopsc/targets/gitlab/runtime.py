"""What jobs run in: tags, time limits, variables, tokens, and the lines that prepare a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlopsc.artifacts.draft import Body, traced
from mlopsc.project import conventions, pipelines
from mlopsc.project.conventions import decision
from mlopsc.project.remembered import remembered
from mlopsc.targets.gitlab import pins

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mlopsc.diagnostics.finding import Path
    from mlopsc.project.model import (
        Environment,
        Model,
        Project,
        Resources,
        Scalar,
        Seconds,
        SecretRef,
        Source,
    )

Job = dict[str, Body]

REPORTS_KEPT: Final = "30 days"
DATA_KEPT: Final = "7 days"
_HOUR: Final = 3600
_MINUTE: Final = 60
_AWS: Final = "AWS_ID_TOKEN"
_GOOGLE: Final = "GOOGLE_ID_TOKEN"


job_name = pipelines.of_model


def decided(body: Body, origins: Collection[Path]) -> Body:
    """`body` traced to `origins`, where there are any: otherwise what is around it speaks for it."""
    return traced(body, *origins) if origins else body


def time_limit(seconds: Seconds) -> str:
    """A length in words that GitLab reads, rounded up to minutes."""
    hours, rest = divmod(-(-seconds // _MINUTE) * _MINUTE, _HOUR)
    parts = [f"{hours}h"] if hours else []
    if rest:
        parts.append(f"{rest // _MINUTE}m")
    return " ".join(parts) or "1m"


def needs(*jobs: str, optional: bool = True, artifacts: bool = True) -> list[Body]:
    """Jobs to wait for; one that its rules left out is not waited for, unless it must be there."""
    return [
        {
            "job": job,
            **({"artifacts": False} if not artifacts else {}),
            **({"optional": traced(True, decision("gitlab_needs_optional"))} if optional else {}),
        }
        for job in jobs
    ]


def artifacts(
    *paths: str, kept: str = REPORTS_KEPT, reports: Mapping[str, Body] | None = None, **more: Body
) -> Body:
    """What a job leaves; it always expires. Reports are kept of failed jobs too: they say why."""
    body: Job = {
        **more,
        **({"paths": list(paths)} if paths else {}),
        **({"reports": dict(reports)} if reports else {}),
        "expire_in": kept,
    }
    return traced(body, decision("gitlab_artifacts"))


def literal(value: Scalar) -> str:
    """A value as a variable's text: GitLab would expand `$`."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.replace("$", "$$")


def from_secret(variable: str, secret: SecretRef) -> dict[str, Body]:
    """A variable filled from a secret's CI/CD variable; one of the same name is there already."""
    if secret.variable == variable:
        return {}
    return {variable: traced(f"${secret.variable}", secret.origin)}


def services(environment: Environment) -> dict[str, Body]:
    """Where the systems of an environment answer, as the programs want to hear it."""
    found = environment.services
    variables: dict[str, Body] = {}
    if found.mlflow is not None:
        variables[conventions.TRACKING_VARIABLE] = traced(
            literal(found.mlflow), found.at("mlflow", "url")
        )
    if found.pushgateway is not None:
        variables[conventions.PUSHGATEWAY_VARIABLE] = traced(
            literal(found.pushgateway), found.at("pushgateway", "url")
        )
    if found.feast is not None:
        if found.feast.registry is not None:
            variables[conventions.FEAST_REGISTRY_VARIABLE] = traced(
                literal(found.feast.registry), found.feast.at("registry")
            )
        if found.feast.connection is not None:
            variables |= from_secret(conventions.FEAST_ONLINE_VARIABLE, found.feast.connection)
    for kind, connection in found.connections.items():
        variables |= from_secret(conventions.connection_variable(kind), connection.secret)
    return variables


def runner_resources(resources: Resources) -> dict[str, Body]:
    """What a runner's Kubernetes executor reserves; other executors know none of these variables.

    Source: docs.gitlab.com/runner/executors/kubernetes, "Overwrite container resources".
    """
    at = resources.origin
    found: dict[str, Body] = {
        "KUBERNETES_CPU_REQUEST": traced(resources.cpu, resources.at("cpu")),
        "KUBERNETES_MEMORY_REQUEST": traced(resources.memory, resources.at("memory")),
        "KUBERNETES_MEMORY_LIMIT": traced(
            resources.limits.get("memory", resources.memory), resources.at("memory")
        ),
    }
    if "cpu" in resources.limits:
        found["KUBERNETES_CPU_LIMIT"] = traced(resources.limits["cpu"], (*at, "limits", "cpu"))
    return found


def tags(project: Project, resources: Resources | None = None) -> dict[str, Body]:
    """The runners of a job that is not like the others: those with a GPU where it asks for one."""
    chosen = project.ci.tags.get("gpu", ())
    if resources is None or not resources.gpu or not chosen:
        return {}
    at = project.ci.at("tags", "gpu")
    each: list[Body] = [traced(tag, (*at, number)) for number, tag in enumerate(chosen)]
    return {"tags": traced(each, resources.at("gpu"))}


def id_tokens(project: Project) -> dict[str, Body]:
    """Tokens that GitLab signs for one job, for whoever trusts GitLab's issuer."""
    found: dict[str, Body] = {}
    trusted = {
        environment.services.mlflow: traced(
            environment.services.mlflow, environment.services.at("mlflow", "url")
        )
        for environment in project.environments
        if environment.services.mlflow is not None
    }
    if trusted:
        # Where environments differ, each job has the address of its own in a variable.
        (audience,) = (
            trusted.values() if len(trusted) == 1 else [f"${conventions.TRACKING_VARIABLE}"]
        )
        found["MLFLOW_TRACKING_TOKEN"] = traced({"aud": audience}, decision("gitlab_id_tokens"))
    if _uses_google(project):
        audience = "https://iam.googleapis.com/$GCP_WORKLOAD_IDENTITY_PROVIDER"
        found[_GOOGLE] = traced({"aud": audience}, decision("gitlab_id_tokens"))
    if _uses_aws(project):
        found[_AWS] = traced({"aud": "sts.amazonaws.com"}, decision("gitlab_id_tokens"))
    return found


def identity(project: Project) -> list[Body]:
    """What a job extends that runs in an image of the user's, where there is anything to extend."""
    return [pipelines.IDENTITY] if id_tokens(project) else []


def identity_script(project: Project) -> list[Body]:
    """Lines that hand the tokens to the clouds' libraries, where the variables for it are set."""
    lines: list[Body] = []
    if _uses_google(project):
        lines.append(traced(_GOOGLE_SCRIPT, decision("gitlab_id_tokens")))
    if _uses_aws(project):
        lines.append(traced(_AWS_SCRIPT, decision("gitlab_id_tokens")))
    return lines


_GOOGLE_SCRIPT: Final = """\
if [ -n "${GCP_WORKLOAD_IDENTITY_PROVIDER:-}" ]; then
  google=$(mktemp -d)
  printf '%s' "$GOOGLE_ID_TOKEN" > "$google/token"
  cat > "$google/credentials.json" <<END
{
  "type": "external_account",
  "audience": "//iam.googleapis.com/$GCP_WORKLOAD_IDENTITY_PROVIDER",
  "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
  "token_url": "https://sts.googleapis.com/v1/token",
  "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/$GCP_SERVICE_ACCOUNT:generateAccessToken",
  "credential_source": {"file": "$google/token"}
}
END
  export GOOGLE_APPLICATION_CREDENTIALS="$google/credentials.json"
fi
"""
_AWS_SCRIPT: Final = """\
if [ -n "${AWS_ROLE_ARN:-}" ]; then
  AWS_WEB_IDENTITY_TOKEN_FILE=$(mktemp)
  printf '%s' "$AWS_ID_TOKEN" > "$AWS_WEB_IDENTITY_TOKEN_FILE"
  export AWS_WEB_IDENTITY_TOKEN_FILE
fi
"""


def _addresses(project: Project) -> Iterator[str]:
    chapters = [project.sources, *(environment.sources for environment in project.environments)]
    for source in (source for sources in chapters for source in sources):
        yield f"{source.kind}://" if source.kind in ("bigquery", "redshift") else ""
        yield source.location or ""
    yield project.storage or ""
    for services_ in (project.services, *(e.services for e in project.environments)):
        yield (services_.feast.registry or "") if services_.feast else ""
    yield from (model.artifact or "" for model in project.models)


@remembered
def _schemes(project: Project) -> frozenset[str]:
    """What addresses of the project begin with: every job asks, and addresses are many."""
    return frozenset(address.partition("://")[0] for address in _addresses(project))


def _uses_google(project: Project) -> bool:
    return not _schemes(project).isdisjoint(("gs", "bigquery"))


def _uses_aws(project: Project) -> bool:
    return not _schemes(project).isdisjoint(("s3", "redshift"))


def python_setup(requirements: str = conventions.PROGRAM_REQUIREMENTS) -> list[Body]:
    """Lines that give a job a Python with what the programs and the project's code need."""
    install = "python -m pip install --quiet --requirement"
    return [
        "python3 -m venv --system-site-packages .venv",
        ". .venv/bin/activate",
        f"{install} {requirements}",
        f"if [ -f requirements.txt ]; then {install} requirements.txt; fi",
    ]


def is_local(source: Source) -> bool:
    """Whether a source is files of the project."""
    return source.kind in ("parquet", "csv") and "://" not in (source.location or "")


def pull_data(project: Project, sources: tuple[Source, ...]) -> list[Body]:
    """Lines that bring the files of local sources where DVC keeps them."""
    remote = {"s3": "[s3]", "gs": "[gs]", "azure": "[azure]"}
    extra = remote.get((project.storage or "").partition("://")[0], "")
    return [
        traced(
            f"if [ -f {shell(f'{path}.dvc')} ]; then"
            f' python -m pip install --quiet "dvc{extra}=={pins.DVC}"'
            f" && dvc pull {shell(f'{path}.dvc')}; fi",
            source.at(source.kind or ""),
            decision("gitlab_data_versions"),
        )
        for source in sources
        if is_local(source) and (path := (source.location or "").rstrip("/"))
    ]


def shell(text: str) -> str:
    """One word for a POSIX shell; quoted only where it has to be."""
    import shlex

    return shlex.quote(text)


def sources_of(model: Model) -> tuple[Source, ...]:
    """The sources a model's examples and features come from, each once, target first."""
    found = {model.target.source.name: model.target.source}
    found.update({view.source.name: view.source for view in model.views})
    return tuple(found.values())


def in_environment(project: Project, name: str) -> Environment:
    """The environment called that; resolve has proven that it exists."""
    return next(environment for environment in project.environments if environment.name == name)
