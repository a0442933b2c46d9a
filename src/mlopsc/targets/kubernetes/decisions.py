"""Choices of this target that no key of the spec changes, each with its reason and source."""

from __future__ import annotations

from typing import Final

_DOCS: Final = "https://kubernetes.io/docs"

DECISIONS: Final[dict[str, str]] = {
    "kubernetes_labels": (
        "Kubernetes' recommended labels, so that any tool can group what belongs together "
        f"({_DOCS}/concepts/overview/working-with-objects/common-labels/)"
    ),
    "kubernetes_selector": (
        "selectors are immutable: name, instance and component never change with a version, "
        "and the component keeps a model's jobs out of its Service "
        f"({_DOCS}/concepts/workloads/controllers/deployment/#selector)"
    ),
    "kubernetes_no_token": (
        "nothing here talks to the Kubernetes API, so no token is mounted "
        f"({_DOCS}/tasks/configure-pod-container/configure-service-account/)"
    ),
    "kubernetes_restricted": (
        "Pod Security Standard 'restricted', and a read-only root beyond it "
        f"({_DOCS}/concepts/security/pod-security-standards/)"
    ),
    "kubernetes_user": ("a numeric user: runAsNonRoot can be proven without reading the image"),
    "kubernetes_scratch": (
        "the root is read-only; what is written goes to a volume that ends with the pod and "
        "has a bound"
    ),
    "kubernetes_small_job": (
        "the language has no key for the resources of builds and of materialization: most of "
        "their work is done by a database"
    ),
    "kubernetes_no_service_links": (
        "variables of every Service in the namespace would only slow the start and meet names "
        f"of ours ({_DOCS}/tutorials/services/connect-applications-service/)"
    ),
    "kubernetes_rollout": ("a new pod is ready before an old one goes: never fewer than asked for"),
    "kubernetes_revisions": (
        "git holds the history; three old ReplicaSets serve `kubectl rollout undo`"
    ),
    "kubernetes_progress": (
        "a rollout has failed when no pod got ready within the load time and ten minutes for "
        "scheduling and pulling the image"
    ),
    "kubernetes_probes": (
        "the startup probe gives the model its load time; liveness only asks whether the "
        "process answers and takes a minute to be sure, so that load is no reason to restart "
        f"({_DOCS}/concepts/configuration/liveness-readiness-startup-probes/)"
    ),
    "kubernetes_custom_probes": ("a custom runtime names no health path, so its port is asked"),
    "kubernetes_drain": (
        "a pod that goes waits ten seconds until no proxy sends it requests any more, then "
        "finishes what it has within the request timeout "
        f"({_DOCS}/tutorials/services/pods-and-endpoint-termination-flow/)"
    ),
    "kubernetes_spread": (
        "a zone or a node may fail; spread is wished, not demanded, and counts the pods of "
        f"one revision ({_DOCS}/concepts/scheduling-eviction/topology-spread-constraints/)"
    ),
    "kubernetes_memory": (
        "memory limit = request: a node never runs out of what it promised "
        f"({_DOCS}/concepts/configuration/manage-resources-containers/)"
    ),
    "kubernetes_scaling": (
        "up at once and by doubling, down slowly after five quiet minutes: loading a model "
        "costs more than an idle pod "
        f"({_DOCS}/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior)"
    ),
    "kubernetes_container_metric": (
        "the utilization of the model server alone: a mesh's sidecar would blur a pod's "
        "average (stable since Kubernetes 1.30)"
    ),
    "kubernetes_budget": (
        "one pod at a time may be drained, and a pod that is not ready never blocks it "
        f"({_DOCS}/tasks/run-application/configure-pdb/)"
    ),
    "kubernetes_network": (
        "a pod is reached by those who need it and reaches what it needs; policies add up, so "
        "a team allows more with one of its own "
        f"({_DOCS}/concepts/services-networking/network-policies/)"
    ),
    "kubernetes_dns": ("without DNS nothing else resolves"),
    "kubernetes_scraper": (
        "Prometheus reaches the metrics: its namespace where services.prometheus.url names "
        "one; any namespace on a port of metrics alone; otherwise pods labelled prometheus"
    ),
    "kubernetes_job_network": (
        "nobody calls a job; what it calls is not narrowed, for the addresses of databases "
        "are in secrets"
    ),
    "kubernetes_forbid": ("a slow run and the next one would write over each other"),
    "kubernetes_start_deadline": (
        "a run missed by more than half its interval (an hour at most) is left to the next "
        "one; without a deadline, 100 missed runs stop a CronJob for good "
        f"({_DOCS}/concepts/workloads/controllers/cron-jobs/#job-creation)"
    ),
    "kubernetes_run_deadline": (
        "a run that hangs blocks the next one: it is stopped after its interval, at least ten "
        "minutes and at most six hours"
    ),
    "kubernetes_training_deadline": (
        "the training's own timeout, and two hours for dataset, gate and registration"
    ),
    "kubernetes_retries": (
        "a program's exit code 1 is a verdict, which a second try does not change; a lost "
        "node is no failure of the run; anything else is tried once more "
        f"({_DOCS}/concepts/workloads/controllers/job/#pod-failure-policy)"
    ),
    "kubernetes_history": (
        "the last success and three failures, for a day: logs are kept elsewhere"
    ),
    "kubernetes_suspended": (
        "started by `kubectl create job --from=cronjob/…`; a Job in the kustomization would "
        "fail every apply that changes its template, which is immutable"
    ),
    "kubernetes_pod_is_the_pipeline": (
        "dataset, training, gate and registration are steps of one pod: nothing is carried "
        "between clusters and CI, and a failed gate registers nothing"
    ),
    "kubernetes_shared_memory": (
        "PyTorch's data loaders exchange batches through /dev/shm, which is 64 MiB without "
        "this volume (https://docs.pytorch.org/docs/stable/multiprocessing.html)"
    ),
    "kubernetes_image_environment": (
        "what the image will hold is not known from the spec: the tag names the environment, "
        "and the deploying job pins the tag of the content it built"
    ),
    "kubernetes_image_pull": ("a tag that moves is looked up at every start"),
    "kubernetes_configuration": (
        "kustomize reads files at or below a kustomization alone, so each folder with files "
        "has one; the names carry a hash of the content, so a run never sees half a change "
        "(https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/configmapgenerator/)"
    ),
    "kubernetes_own": (
        "a folder of programs or settings brings the ConfigMaps of all models; deploying or"
        " stopping one model must not touch those of another"
    ),
    "kubernetes_immutable": (
        "the name changes with the content, so the content never does "
        f"({_DOCS}/concepts/configuration/configmap/#configmap-immutable)"
    ),
    "kubernetes_home": ("the root is read-only: caches go where writing is allowed"),
    "kubernetes_scrape": ("every 30 seconds: twice in the shortest window an alert looks at"),
    "kubernetes_annotations": (
        "the annotations that Prometheus' usual Kubernetes configuration reads "
        "(https://github.com/prometheus-community/helm-charts/tree/main/charts/prometheus)"
    ),
    "kubernetes_secret": (
        "platform.secrets: kubernetes means a Secret by the secret's name is there"
    ),
}
