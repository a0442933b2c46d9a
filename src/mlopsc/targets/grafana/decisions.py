"""Choices of this target that no key of the spec changes, each with its reason and source."""

from __future__ import annotations

from typing import Final

_DOCS: Final = "https://grafana.com/docs/grafana/latest"
_CHART: Final = (
    "https://github.com/prometheus-community/helm-charts/blob/main/charts/kube-prometheus-stack/"
    "values.yaml, grafana.sidecar.dashboards"
)

DECISIONS: Final[dict[str, str]] = {
    "grafana-model": (
        "schema version 42, which Grafana 12 and 13 write; newer ones read it "
        f"({_DOCS}/dashboards/build-dashboards/view-dashboard-json-model/)"
    ),
    "grafana-read-only": (
        "the spec is where a dashboard is changed: what is changed in Grafana would be lost with the"
        " next commit"
    ),
    "grafana-range": (
        "a week: long enough for a monitor that runs every day, and for last week's traffic beside"
        " this week's"
    ),
    "grafana-datasource": (
        "a variable: whoever opens a dashboard may have another Prometheus, or several"
    ),
    "grafana-layout": "what is wrong now comes first, then what callers notice, then why",
    "grafana-numbers": (
        "a panel's number is its row's and its place in it, so that addresses of panels stay when"
        " another row comes or goes"
    ),
    "grafana-links": "from what is wrong to where it is explained and changed",
    "grafana-sidecar": (
        "the label by which the sidecar of kube-prometheus-stack finds dashboards, in every namespace"
        f" ({_CHART}); no digest in the name, or the one before would be read too while both are there"
    ),
    "grafana-folder": (
        "the annotation that names a folder where the sidecar is told so (folderAnnotation:"
        " grafana_folder); it means nothing elsewhere"
    ),
    "grafana-provisioning": (
        "read every minute, not to be saved over, and gone when the file is gone"
        f" ({_DOCS}/administration/provisioning/#dashboards)"
    ),
    "grafana-prometheus": (
        "Grafana's server asks, by POST because queries are long; rates are taken over at least four"
        f" of the usual scrape interval ({_DOCS}/datasources/prometheus/configure/)"
    ),
}
