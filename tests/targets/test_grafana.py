"""Dashboards follow from the spec: what nobody emits is not shown, and what is shown has its bounds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from artifacts.hostile import HOSTILE
from mlopsc.artifacts.render import render
from mlopsc.diagnostics.finding import Rejected
from mlopsc.project.alerting import rule_set
from mlopsc.project.alerting.reading import selectors
from mlopsc.project.conventions import dashboard_uid
from mlopsc.project.dashboards import dashboard, has_dashboard
from mlopsc.project.emitted import pushed, served
from mlopsc.project.runtimes import RUNTIMES
from mlopsc.targets import grafana, kubernetes, prometheus
from readers import reader
from targets.alerting_projects import SPEC, files, project, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlopsc.project.model import Environment, Model, Project
    from readers import Refusal

    Accepts = Callable[..., list[Refusal]]

Panel = dict[str, Any]
Change = tuple[str, str]

PLATFORM: Change = ("services:\n", "platform: {dashboards: grafana}\nservices:\n")
ADDRESS: Change = ("services:\n", "services:\n  grafana: {url: https://grafana.example.com/}\n")
PROMETHEUS: Change = ("services:\n", 'services:\n  prometheus: {url: "http://prometheus:9090"}\n')
SLO = "slo: {availability: 99.9%, latency: {p95: 250ms}, window: 7d}"
DRIFT = "      drift: {share: {max: 30%, for: 10m}}\n"
NO_PUSHGATEWAY: Change = ("  pushgateway: {url", "  prometheus: {url")
NOT_SERVED: Change = (f"    serving:\n      {SLO}\n", "")
SERVED = (
    SPEC[: SPEC.index("secrets:")]
    + SPEC[SPEC.index("environments:") : SPEC.index("    monitoring:")]
)

SERVING = {
    "triton": "runtime: triton\n      format: onnx\n      slo: {availability: 99.9%}",
    "torchserve": "runtime: torchserve\n      format: pytorch\n      slo: {availability: 99.9%}",
    "tfserving": "runtime: tfserving\n      format: tensorflow\n      slo: {availability: 99%}",
    "bentoml": "runtime: bentoml\n      format: custom\n      slo: {latency: {p99: 500ms}}",
    "milliseconds": """runtime: custom
      image: registry.example.com/own:1
      port: 80
      metrics: {port: 80, requests: own_requests_total, errors: 'code=~"5.."', latency: own_ms, unit: milliseconds, buckets: [100, 250]}
      slo: {latency: {p95: 250ms}}""",
}


def _files(of: Project) -> dict[str, str]:
    return files(grafana.emit(of))


def _dashboard(of: Project, environment: str = "production", model: str = "churn") -> Panel:
    read: Panel = json.loads(_files(of)[f"monitoring/grafana/{environment}/{model}.json"])
    return read


def _panels(of: Project, environment: str = "production") -> dict[str, Panel]:
    return {panel["title"]: panel for panel in _dashboard(of, environment)["panels"]}


def _rows(of: Project, environment: str = "production") -> list[str]:
    panels = _dashboard(of, environment)["panels"]
    return [panel["title"] for panel in panels if panel["type"] == "row"]


def _steps(panel: Panel) -> list[tuple[float | None, str]]:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


def _every(of: Project) -> Iterator[tuple[Environment, Model]]:
    for environment in of.environments:
        for model in environment.models:
            yield environment, model


# --- when there is one ---------------------------------------------------------------------------


def test_nobody_who_draws_dashboards_gets_none() -> None:
    assert _files(project()) == {}


@pytest.mark.parametrize("change", [PLATFORM, ADDRESS], ids=["the word", "the address"])
def test_a_dashboard_a_model_and_environment(change: Change) -> None:
    paths = [path for path in _files(project(SPEC, change)) if path.endswith(".json")]
    assert paths == [
        "monitoring/grafana/staging/churn.json",
        "monitoring/grafana/production/churn.json",
    ]


@pytest.mark.parametrize("spec", [SPEC, SERVED], ids=["watched", "served"])
@pytest.mark.parametrize("changes", [[], [NO_PUSHGATEWAY], [NOT_SERVED]], ids=len)
def test_whoever_has_something_to_see_has_one(spec: str, changes: list[Change]) -> None:
    of = project(spec, PLATFORM, *changes)
    for environment, model in _every(of):
        shown = dashboard(of, environment, model)
        assert (shown is not None) is has_dashboard(environment, model)
        assert shown is None or shown.rows
        # An alert may link to it.
        assert shown is not None or not rule_set(of, environment, model).alerts


def test_a_model_with_nothing_to_see_has_none() -> None:
    assert _files(project(SERVED, PLATFORM, NOT_SERVED, NO_PUSHGATEWAY)) == {}


# --- what it shows -------------------------------------------------------------------------------

ROWS = ["Now", "Traffic", "Promises", "Drift", "Model metrics", "Data", "Business"]


def test_all_there_is_to_see() -> None:
    assert _rows(project(SPEC, PLATFORM)) == ROWS


@pytest.mark.parametrize(
    ("gone", "changes"),
    [
        ({"Promises"}, [(SLO, "replicas: {min: 2, max: 4}")]),
        ({"Business"}, [(SPEC[SPEC.index("      business:") : SPEC.index("      respond:")], "")]),
        ({"Drift", "Model metrics", "Data"}, [NO_PUSHGATEWAY]),
        ({"Traffic", "Promises"}, [NOT_SERVED]),
    ],
)
def test_what_nobody_emits_is_not_shown(gone: set[str], changes: list[Change]) -> None:
    rows = _rows(project(SPEC, PLATFORM, *changes))
    assert rows == [row for row in ROWS if row not in gone]


def _without_drift(of: Project) -> Project:
    """The project as if nobody had asked for drift, which a spec cannot say by leaving it out."""

    def quiet(model: Model) -> Model:
        assert model.monitoring is not None
        return replace(model, monitoring=replace(model.monitoring, drift=None))

    environments = (
        replace(there, models=tuple(quiet(model) for model in there.models))
        for there in of.environments
    )
    return replace(of, environments=tuple(environments))


def test_no_drift_no_row_of_it() -> None:
    of = _without_drift(project(SPEC, PLATFORM))
    assert _rows(of) == [row for row in ROWS if row != "Drift"]
    assert "drift" not in json.dumps(_dashboard(of)).lower()


def test_data_are_shown_where_they_are_checked() -> None:
    assert "Data" in _rows(project(SPEC, PLATFORM))
    assert "Data" not in _rows(project(SPEC, PLATFORM), "staging")


def test_a_runtime_without_histogram_has_no_latency() -> None:
    panels = _panels(project(SERVED, PLATFORM, (SLO, SERVING["triton"])))
    assert "Requests" in panels
    assert not {"Answer times", "Answer times, by bucket"} & set(panels)


def test_failures_are_added_where_the_requests_leave_them_out() -> None:
    panels = _panels(project(SERVED, PLATFORM, (SLO, SERVING["triton"])))
    every, failed = (target["expr"] for target in panels["Requests"]["targets"])
    assert "nv_inference_request_success" in every
    assert failed in every


# --- every metric is emitted ---------------------------------------------------------------------


def _known(of: Project, environment: Environment, model: Model) -> set[str]:
    recorded = {rule.record for rule in rule_set(of, environment, model).recordings}
    series = (*pushed(of, environment), *served(environment, model))
    of_rules = {"ALERTS"} if rule_set(of, environment, model).alerts else set()
    return recorded | {one.metric for one in series} | of_rules


@pytest.mark.parametrize("name", ["mlserver", *SERVING])
@pytest.mark.parametrize("spec", [SPEC, SERVED], ids=["watched", "served"])
def test_every_query_reads_what_the_project_emits(name: str, spec: str) -> None:
    changes = [PLATFORM] if name == "mlserver" else [PLATFORM, (SLO, SERVING[name])]
    of = project(spec, *changes)
    for environment, model in _every(of):
        shown = dashboard(of, environment, model)
        known = _known(of, environment, model)
        for query in shown.queries if shown else ():
            read = {selector.metric for selector in selectors(query)}
            assert read <= known, query


def test_the_runtimes_are_all_here() -> None:
    assert set(SERVING) | {"mlserver"} >= set(RUNTIMES)


def test_every_query_is_of_this_model_in_this_environment() -> None:
    for environment, model in _every(of := project(SPEC, PLATFORM)):
        shown = dashboard(of, environment, model)
        assert shown is not None
        identity = {"project": "churn", "model": "churn", "environment": environment.name}
        scraped = {"namespace": environment.namespace, "service": "churn"}
        for query in shown.queries:
            for selector in selectors(query):
                labels = {m.label: m.value for m in selector.matchers if m.operator == "="}
                assert labels.items() >= identity.items() or labels.items() >= scraped.items()


# --- bounds --------------------------------------------------------------------------------------


def test_bounds_are_lines_in_the_colour_of_their_severity() -> None:
    panels = _panels(project(SPEC, PLATFORM))
    assert _steps(panels["Share of columns that drifted"]) == [(None, "green"), (0.3, "orange")]
    assert _steps(panels["auc"]) == [(None, "red"), (0.8, "green")]
    assert _steps(panels["calibration"]) == [(None, "orange"), (-0.5, "green"), (0.5, "orange")]
    assert _steps(panels["Share of requests that failed"]) == [(None, "green"), (0.001, "orange")]
    assert _steps(panels["Answer times"]) == [(None, "green"), (0.25, "orange")]
    for title in ("Share of columns that drifted", "auc", "Answer times"):
        custom = panels[title]["fieldConfig"]["defaults"]["custom"]
        assert custom["thresholdsStyle"] == {"mode": "dashed"}


def test_a_distance_drifts_when_it_is_large_and_a_p_value_when_it_is_small() -> None:
    for method, threshold, steps in (
        ("psi", "0.2", [(None, "green"), (0.2, "orange")]),
        ("ks", "0.05", [(None, "orange"), (0.05, "green")]),
    ):
        change = (
            DRIFT,
            DRIFT.replace("{share", f"{{method: {method}, threshold: {threshold}, share"),
        )
        panels = _panels(project(SPEC, PLATFORM, change))
        assert _steps(panels["Drift by column"]) == steps
        assert _steps(panels["Drift by column, now"]) == steps


def test_the_worst_column_comes_first() -> None:
    change = (DRIFT, DRIFT.replace("{share", "{method: ks, threshold: 0.05, share"))
    for changes, sort in (([], "sort_desc("), ([change], "sort(")):
        panel = _panels(project(SPEC, PLATFORM, *changes))["Drift by column, now"]
        assert panel["targets"][0]["expr"].startswith(sort)


def test_a_latency_is_in_the_unit_of_its_histogram() -> None:
    panels = _panels(project(SERVED, PLATFORM, (SLO, SERVING["milliseconds"])))
    times = panels["Answer times"]
    assert times["fieldConfig"]["defaults"]["unit"] == "ms"
    assert _steps(times)[-1][0] == 250
    assert panels["Answer times, by bucket"]["options"]["yAxis"]["unit"] == "ms"


def test_the_promised_quantile_is_among_those_shown() -> None:
    change = (SLO, "slo: {latency: {p90: 250ms}}")
    targets = _panels(project(SPEC, PLATFORM, change))["Answer times"]["targets"]
    assert [target["legendFormat"] for target in targets] == ["p50", "p90", "p95", "p99"]


def test_burn_rates_read_what_is_recorded_over_the_windows_that_alert() -> None:
    of = project(SPEC, PLATFORM)
    environment = of.production
    recorded = {r.record for r in rule_set(of, environment, environment.models[0]).recordings}
    panel = _panels(of)["Error budget: burn rate"]
    read = [selectors(target["expr"])[0].metric for target in panel["targets"]]
    assert len(read) == 3
    assert set(read) <= recorded
    assert [value for value, _ in _steps(panel)] == [None, 1, 6, 14.4]


# --- identity ------------------------------------------------------------------------------------


def test_names_stay() -> None:
    shown = _dashboard(project(SPEC, PLATFORM))
    assert shown["uid"] == "churn-production-churn"
    assert shown["title"] == "churn / churn / production"
    assert shown["tags"] == ["mlopsc", "churn", "churn", "production"]
    assert "id" not in shown
    assert "version" not in shown


def test_a_long_uid_is_cut_and_stays_apart_from_others() -> None:
    names = [dashboard_uid("p" * 40, "e" * 40, model) for model in ("m" * 40, "n" * 40)]
    assert len(set(names)) == 2
    assert {len(name) for name in names} == {40}


def test_panels_keep_their_numbers_when_a_row_goes() -> None:
    whole = _panels(project(SPEC, PLATFORM))
    less = _panels(_without_drift(project(SPEC, PLATFORM)))
    kept = [title for title in less if title not in ("Last look", "Alerts over time")]
    assert len(kept) > 10
    assert {title: less[title]["id"] for title in kept} == {t: whole[t]["id"] for t in kept}


# --- links ---------------------------------------------------------------------------------------


def _links(of: Project) -> dict[str, str]:
    return {link["title"]: link.get("url", "") for link in _dashboard(of)["links"]}


def test_links_lead_to_where_it_is_explained_and_changed() -> None:
    mlflow = ("services:\n", "services:\n  mlflow: {url: https://mlflow.example.com}\n")
    links = _links(project(SPEC, PLATFORM, mlflow))
    assert links == {
        "Dashboards of churn": "",
        "Repository": "https://gitlab.example.com/growth/churn",
        "Runbooks": "https://gitlab.example.com/growth/churn/-/tree/HEAD/monitoring/runbooks",
        "Versions": "https://mlflow.example.com/#/models/churn",
    }
    own = (
        "    target: outcomes",
        "    runbook: https://wiki.example.com/churn\n    target: outcomes",
    )
    links = _links(project(SPEC, PLATFORM, own))
    assert links["Runbook"] == "https://wiki.example.com/churn"
    assert "Runbooks" not in links


def test_alerts_link_to_the_dashboard_of_a_grafana_whose_address_is_known() -> None:
    for changes, there in (([PLATFORM], False), ([ADDRESS], True), ([], False)):
        text = files(prometheus.emit(project(SPEC, *changes)))[
            "monitoring/prometheus/production/churn.rules.yml"
        ]
        groups = yaml.safe_load(text)["groups"]
        for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
            found = rule["annotations"].get("dashboard_url")
            uid = "https://grafana.example.com/d/churn-production-churn"
            assert found == (uid if there else None)


# --- delivery ------------------------------------------------------------------------------------


def _kustomization(of: Project, environment: str = "production") -> Panel:
    text = _files(of)[f"monitoring/grafana/{environment}/kustomization.yaml"]
    read: Panel = yaml.safe_load(text)
    return read


def test_a_config_map_a_dashboard_for_the_sidecar() -> None:
    made = _kustomization(project(SPEC, PLATFORM))
    (generator,) = made["configMapGenerator"]
    assert made["namespace"] == "churn"
    assert generator["name"] == "churn-dashboard"
    assert generator["files"] == ["churn-production-churn.json=churn.json"]
    assert generator["options"]["labels"]["grafana_dashboard"] == "1"
    assert generator["options"]["labels"]["app.kubernetes.io/name"] == "churn"
    assert generator["options"]["disableNameSuffixHash"] is True


def test_the_folder_of_a_model_in_kubernetes_brings_its_dashboard() -> None:
    made = files(kubernetes.emit(project(SPEC, PLATFORM)))
    for environment in ("staging", "production"):
        for folder, up in (
            (f"k8s/{environment}/churn", "../../.."),
            (f"k8s/{environment}", "../.."),
        ):
            read = yaml.safe_load(made[f"{folder}/kustomization.yaml"])
            assert f"{up}/monitoring/grafana/{environment}" in read["resources"]
    none = files(kubernetes.emit(project()))
    assert "grafana" not in "".join(none.values())


def test_a_dashboard_is_far_from_what_a_config_map_holds() -> None:
    for path, text in _files(project(SPEC, PLATFORM)).items():
        assert len(text.encode()) < 2**18, path


def test_the_provisioned_source_is_the_one_a_dashboard_begins_with() -> None:
    made = _files(project(SPEC, PLATFORM, PROMETHEUS))
    folder = "monitoring/grafana/production/provisioning"
    (source,) = yaml.safe_load(made[f"{folder}/datasources/churn-production.yaml"])["datasources"]
    (variable,) = _dashboard(project(SPEC, PLATFORM, PROMETHEUS))["templating"]["list"]
    assert source["url"] == "http://prometheus:9090"
    assert variable["current"] == {"text": source["name"], "value": source["uid"]}
    without = _files(project(SPEC, PLATFORM))
    assert not [path for path in without if "datasources" in path]
    assert "current" not in _dashboard(project(SPEC, PLATFORM))["templating"]["list"][0]


def test_a_dollar_in_an_address_is_no_variable_of_grafana() -> None:
    dollar = ("services:\n", 'services:\n  prometheus: {url: "http://p/$HOME"}\n')
    made = _files(project(SPEC, PLATFORM, dollar))
    path = "monitoring/grafana/production/provisioning/datasources/churn-production.yaml"
    assert yaml.safe_load(made[path])["datasources"][0]["url"] == "http://p/$$HOME"


# --- the real readers ----------------------------------------------------------------------------

SPECS: dict[str, tuple[str, list[Change]]] = {
    "as it is": (SPEC, []),
    "with all services": (SPEC, [PROMETHEUS, ADDRESS]),
    "without a promise": (SPEC, [(SLO, "replicas: {min: 1, max: 1}")]),
    "p-values": (SPEC, [(DRIFT, "      drift: {method: ks, threshold: 0.05}\n")]),
    "without a place to push to": (SPEC, [NO_PUSHGATEWAY]),
    **{name: (SERVED, [(SLO, serving)]) for name, serving in SERVING.items()},
}


@pytest.mark.parametrize("name", ["Grafana", "Grafana's schema", "Grafana's provisioning"])
@pytest.mark.parametrize("spec", SPECS)
def test_grafana_reads_it(spec: str, name: str, tmp_path: Path, accepts: Accepts) -> None:
    text, changes = SPECS[spec]
    made = _files(project(text, PLATFORM, *changes))
    write(tmp_path, made)
    assert [str(refusal) for refusal in accepts(tmp_path, made, [reader(name)])] == []


@pytest.mark.parametrize("text", HOSTILE[:40], ids=repr)
def test_texts_of_the_user_stay_what_they_are(text: str) -> None:
    said = json.dumps(text)
    change = ("    target: outcomes", f"    description: {said}\n    target: outcomes")
    try:
        of = project(SPEC, PLATFORM, change)
    except Rejected:
        pytest.skip("the language refuses it")
    for draft in grafana.emit(of):
        if draft.path.endswith(".json"):
            assert json.loads(render(draft, "grafana").text)["description"] == text
