"""Choices of the GitLab target that no key of the spec changes, by name, with the reason."""

from __future__ import annotations

from typing import Final

DECISIONS: Final[dict[str, str]] = {
    "gitlab_stages": (
        "the seven stages of a model's life, in their order; `needs` lets a job start before "
        "its stage does"
    ),
    "gitlab_own_stages": (
        "a stage that only `ci.jobs` or `ci.include` know comes before ours, so that tests are "
        "through before anything is trained; `deploy` comes after ours. An included file that "
        "names stages of its own takes GitLab's `build`, `test` and `deploy` for granted"
    ),
    "gitlab_one_pipeline": (
        "one push, one pipeline: merge requests have a pipeline of their own, so a branch has "
        "none; only the default branch runs without one (docs.gitlab.com/ci/yaml/workflow)"
    ),
    "gitlab_auto_cancel": (
        "a new commit stops the older pipeline of its merge request; on the default branch it "
        "stops nothing, because the next commit may start another model's jobs only"
    ),
    "gitlab_retry": (
        "a job runs again when the machinery failed, never when its script did; "
        "`stuck_or_timeout_failure` is left out because it also covers a script that ran too "
        "long"
    ),
    "gitlab_interruptible": (
        "work that only reads may be stopped by a newer commit; a job that changes a "
        "registry, a cluster or a repository may not"
    ),
    "gitlab_pinned_images": (
        "a job's image has an exact version: the same commit runs in the same tools"
    ),
    "gitlab_python": (
        "jobs without an image of the spec run in a plain Python and install what the "
        "programs need, and `requirements.txt` where there is one, into an environment of the "
        "job's own, so that the pipeline also runs on a laptop without a container"
    ),
    "gitlab_cache": (
        "pip's downloads are kept between jobs; what is installed is not, it depends on the image"
    ),
    "gitlab_check": (
        "the committed files are what the spec compiles to, by the compiler version that "
        "mlops.lock names; the findings show in the merge request"
    ),
    "gitlab_include": (
        "a model's jobs stand in a file of their own, so that a change to it is a change to "
        "that model alone"
    ),
    "gitlab_apart": (
        "with more than 50 models, built sources and materialized views, a model has a pipeline of "
        "its own: GitLab takes 150 files a pipeline and reads all of them before any rule. A run "
        "that names a model includes that model's file; a push starts the pipelines of the models "
        "whose files changed (docs.gitlab.com/ci/pipelines/downstream_pipelines)"
    ),
    "gitlab_rules": (
        "a run that names a model or a task runs exactly that. Otherwise changed files "
        "decide; they are asked only in merge requests and pushes, because `changes` is true "
        "in every other pipeline (docs.gitlab.com/ci/yaml/#ruleschanges)"
    ),
    "gitlab_contract": (
        "a digest of what the model is trained and judged on: it changes this file, and so "
        "starts training, when the spec changes that; a promoted version does not change it"
    ),
    "gitlab_needs_optional": (
        "a job that its rules may leave out is needed only where it is there"
    ),
    "gitlab_artifacts": (
        "every artifact expires: reports after a month, data and models after a week, for a "
        "version that passed lives in the registry; training data may be downloaded by "
        "developers only"
    ),
    "gitlab_id_tokens": (
        "MLflow and clouds are asked with a token that GitLab signs for this one job, so no "
        "long-lived secret stands in a variable "
        "(docs.gitlab.com/ci/secrets/id_token_authentication)"
    ),
    "gitlab_data_versions": (
        "a file that DVC keeps is pulled where its .dvc file stands beside it"
    ),
    "gitlab_merge_request_features": (
        "a merge request must not change the shared feature registry: its jobs read their "
        "own, made from the definitions of that commit"
    ),
    "gitlab_feature_apply": (
        "feature definitions are applied after a merge, one environment after the other"
    ),
    "gitlab_cooldown": (
        "an alert's pipeline has one job, which asks the registry whether the model may be "
        "retrained again already; no is a warning and ends it, yes starts the pipeline that "
        "trains. With both in one pipeline a no would either fail it or, allowed to fail, let "
        "training start"
    ),
    "gitlab_kubernetes_training": (
        "a Job is made from the suspended CronJob with the image of this commit; it ends with "
        "a version in the registry, so nothing is carried back"
    ),
    "gitlab_register": (
        "only a model that passed the gate, on the default branch, becomes a version"
    ),
    "gitlab_build": (
        "BuildKit without root and without a daemon, GitLab's replacement for the archived "
        "Kaniko (docs.gitlab.com/ci/docker/using_buildkit); a tag that the registry has is "
        "never built again"
    ),
    "gitlab_registry_login": (
        "the job's own short-lived token for GitLab's registry; MLOPS_REGISTRY_USER and "
        "MLOPS_REGISTRY_PASSWORD for another one"
    ),
    "gitlab_content_tag": (
        "the tag of an image is the hash of what its build reads: the same content is the "
        "same tag, in every job and after every revert"
    ),
    "gitlab_mark": (
        "after a deployment the image's tag of the environment follows, so that the manifests "
        "applied by hand run the same code"
    ),
    "gitlab_promotion": (
        "which version runs is a line of the spec: a job proposes it in a merge request and "
        "no job edits a generated file. A project access token pushes, because a push with "
        "CI_JOB_TOKEN starts no pipeline (docs.gitlab.com/ci/jobs/ci_job_token)"
    ),
    "gitlab_environment_name": (
        "an environment a model, because GitLab's protection against outdated deployments "
        "compares within one environment: one model's deployment would forbid another's"
    ),
    "gitlab_deploy": (
        "applied on the server, waited for, then what the manifests no longer have is removed"
    ),
    "gitlab_resource_group": (
        "one deployment at a time to an environment, in the order of the pipelines: "
        "`oldest_first` is a setting of GitLab's API, kept by the job that reconciles "
        "schedules"
    ),
    "gitlab_manual": (
        "a manual job holds the pipeline open, behind the gate and what ran before it"
    ),
    "gitlab_champion": (
        "without a line in `versions` the registry's champion runs, whenever somebody says "
        "so: nothing in git tells when it moves"
    ),
    "gitlab_rollback": (
        "the version before in git, by the way of every other version: the spec's line, in a "
        "merge request"
    ),
    "gitlab_stop": "an environment that is not production can be taken down from GitLab",
    "gitlab_task_jobs": (
        "scheduled work has a job a task and environment, started by the variables of its "
        "schedule and by nothing else"
    ),
    "gitlab_access": "the job reads the environment's variables and is no deployment",
    "gitlab_schedules": (
        "schedules and protected environments are objects of GitLab's API: a program makes "
        "them what the file says, after each merge that changes it"
    ),
    "gitlab_codeowners": "who owns a model or a source owns the files made from it",
}
"""Name → why."""
