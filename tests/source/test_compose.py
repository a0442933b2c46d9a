"""Composing: defaults under items, overrides over them, `only`; every value keeps its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from composing import HEAD, SPEC, check_places, composed, gathered, get, said_in_composing, shown
from mlopsc.diagnostics.finding import Rejected
from mlopsc.source import compose as composing
from mlopsc.source.compose import compose
from mlopsc.source.document import Laid
from mlopsc.spec.merging import MERGING

if TYPE_CHECKING:
    from mlopsc.source.document import Data

TWO = "environments: {staging: {}, production: {}}\n"


def production(overrides: str, rest: str) -> str:
    """A spec in which production changes something; `overrides` is a flow mapping."""
    return f"{HEAD}environments:\n  staging: {{}}\n  production: {{overrides: {overrides}}}\n{rest}"


def model(composition: Any, environment: str, *path: str) -> Any:
    return get(composition.environments[environment].data, "models", "m", *path)


# --- nothing to do ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "models: {m: {target: x:y}}\n",
        TWO,
        "environments: {}\n",
        "environments: {staging: , production: {}}\n",
        "environments: [a]\n",
        "environments: {staging: {overrides: {}}, production: {variables: {}}}\n",
        "variables: {}\ndefaults: {}\n",
        "description: costs 5$ {a}\n",
    ],
)
def test_without_layers_all_environments_hold_the_document_itself(rest: str) -> None:
    document = gathered({SPEC: HEAD + rest})
    composition = compose(document, MERGING)
    assert composition.base is document
    assert all(one is document for one in composition.environments.values())
    names = document.data.get("environments")
    expected = list(names) if names and isinstance(names, dict) else ["production"]
    assert list(composition.environments) == expected


def test_environments_that_nothing_tells_apart_share_one_document() -> None:
    composition = composed(HEAD + TWO + "defaults: {models: {owner: a}}\nmodels: {m: {}}\n")
    staging, last = composition.environments.values()
    assert staging is last is composition.base
    assert model(composition, "staging") == {"owner": "a"}


# --- defaults ---------------------------------------------------------------------------------

DEFAULTS = """\
defaults:
  models:
    owner: team
    serving:
      replicas: {min: 2, max: 4}
      env: {A: "1", B: "2"}
    features: [a, b]
"""


def test_a_default_is_laid_under_what_the_item_says() -> None:
    spec = (
        HEAD
        + DEFAULTS
        + "models:\n  m:\n    serving:\n      replicas: {min: 3}\n      env: {B: x}\n    features: [c]\n"
    )
    composition = composed(spec)
    document = composition.base
    assert model(composition, "production") == {
        "serving": {"replicas": {"min": 3, "max": 4}, "env": {"B": "x", "A": "1"}},
        "features": ["c"],
        "owner": "team",
    }
    at = ("models", "m", "serving", "replicas")
    assert shown(document, (*at, "min")) == "mlops.yaml:13:23 |3|"
    assert shown(document, (*at, "max")) == "mlops.yaml:7:31 |4|"
    assert shown(document, (*at, "max"), on_key=True) == "mlops.yaml:7:26 |max|"
    assert shown(document, ("models", "m", "owner")) == "mlops.yaml:5:12 |team|"
    assert document.laid[(*at, "max")] == Laid(
        "default", ("defaults", "models", "serving", "replicas", "max")
    )
    assert (*at, "min") not in document.laid


def test_a_default_alone_asks_for_nothing() -> None:
    spec = HEAD + DEFAULTS + "models: {m: {training: {command: x}}}\n"
    assert set(model(composed(spec), "production")) == {"training", "owner", "features"}
    present = HEAD + DEFAULTS + "models: {m: {serving: {}}}\n"
    assert model(composed(present), "production", "serving", "replicas") == {"min": 2, "max": 4}


def test_null_in_an_item_removes_the_default_and_the_key_with_it() -> None:
    spec = HEAD + DEFAULTS + "models:\n  m: {owner: null, serving: {env: {A: null}}, features: ~}\n"
    composition = composed(spec)
    assert model(composition, "production") == {
        "serving": {"env": {"B": "2"}, "replicas": {"min": 2, "max": 4}}
    }
    removed = {path[2:]: place.column for path, place in composition.base.removed.items()}
    assert removed == {("owner",): 14, ("serving", "env", "A"): 39, ("features",): 57}


def test_null_where_there_is_no_default_stays_for_the_language_to_refuse() -> None:
    composition = composed(HEAD + "defaults: {models: {owner: a}}\nmodels: {m: {serving: }}\n")
    assert model(composition, "production") == {"serving": None, "owner": "a"}


def test_a_member_of_a_group_keeps_the_default_of_another_out() -> None:
    spec = (
        HEAD
        + "defaults: {sources: {parquet: d.parquet, timestamp: at}, images: {python: '3.11'}}\n"
        + "sources: {a: {csv: a.csv}, b: {}}\nimages: {i: {dockerfile: Dockerfile}, j: {}}\n"
    )
    data = composed(spec).base.data
    assert data["sources"] == {
        "a": {"csv": "a.csv", "timestamp": "at"},
        "b": {"parquet": "d.parquet", "timestamp": "at"},
    }
    assert data["images"] == {"i": {"dockerfile": "Dockerfile"}, "j": {"python": "3.11"}}


@pytest.mark.parametrize(
    ("default", "item", "meant"),
    [
        ("{min: 0}", "float32", {"type": "float32", "min": 0}),
        ("float32", "{min: 0}", {"min": 0, "type": "float32"}),
        ("float32", "float64", "float64"),
        ("{type: float32, min: 0}", "float64", {"type": "float64", "min": 0}),
        ("float32", "{type: float64}", {"type": "float64"}),
        ("float32", "", None),
    ],
)
def test_shorthands_of_defaults_and_items_meet_as_what_they_stand_for(
    default: str, item: str, meant: object
) -> None:
    spec = f"{HEAD}defaults: {{sources: {{columns: {{c: {default}}}}}}}\nsources: {{s: {{columns: {{c: {item}}}}}}}\n"
    columns = get(composed(spec).base.data, "sources", "s", "columns")
    assert columns == ({} if meant is None else {"c": meant})


def test_defaults_are_laid_under_environments_too_with_variables_and_overrides() -> None:
    spec = (
        HEAD
        + "defaults:\n  environments:\n    deploy: manual\n    variables: {n: 1}\n"
        + "    overrides: {models: {m: {runbook: 'r/${env.name}/${var.n}'}}}\n"
        + "environments: {staging: {}, production: {deploy: automatic, variables: {n: 2}}}\n"
        + "models: {m: {}}\n"
    )
    composition = composed(spec)
    assert model(composition, "staging", "runbook") == "r/staging/1"
    assert model(composition, "production", "runbook") == "r/production/2"
    own = get(composition.base.data, "environments")
    assert [one["deploy"] for one in own.values()] == ["manual", "automatic"]
    at = ("models", "m", "runbook")
    assert shown(composition.base, at).startswith("mlops.yaml:7:39 |")


def test_anchors_and_merge_keys_in_defaults_keep_their_places() -> None:
    spec = (
        HEAD
        + "x-res: &res\n  cpu: 2\n"
        + "defaults: {models: {serving: {resources: {<<: *res, memory: 1Gi}}}}\n"
        + "models: {m: {serving: {}}, n: {serving: {resources: {cpu: 4}}}}\n"
    )
    document = composed(spec).base
    at = ("serving", "resources", "cpu")
    assert shown(document, ("models", "m", *at)) == "mlops.yaml:4:8 |2|"
    assert shown(document, ("models", "n", *at)) == "mlops.yaml:6:59 |4|"
    assert get(document.data, "models", "n", "serving", "resources") == {"cpu": 4, "memory": "1Gi"}


def test_a_default_of_another_file_stands_there() -> None:
    files = {
        SPEC: HEAD + "include: [d.yaml]\nmodels: {m: {}}\n",
        "d.yaml": "defaults:\n  models: {owner: team}\n",
    }
    assert shown(composed(files).base, ("models", "m", "owner")) == "d.yaml:2:19 |team|"


# --- overrides --------------------------------------------------------------------------------

ITEM = """\
models:
  m:
    serving: {replicas: {min: 1, max: 4}, env: {A: "1"}, clients: [a, b]}
    owner: team
"""


def test_maps_merge_lists_replace_and_scalars_too() -> None:
    overrides = (
        "{models: {m: {serving: {replicas: {min: 3}, env: {B: x}, clients: [c]}, owner: me}}}"
    )
    composition = composed(production(overrides, ITEM))
    assert model(composition, "production") == {
        "serving": {
            "replicas": {"min": 3, "max": 4},
            "env": {"A": "1", "B": "x"},
            "clients": ["c"],
        },
        "owner": "me",
    }
    assert model(composition, "staging")["serving"]["replicas"] == {"min": 1, "max": 4}
    document = composition.environments["production"]
    at = ("models", "m", "serving")
    assert shown(document, (*at, "replicas", "min")) == "mlops.yaml:5:67 |3|"
    assert shown(document, (*at, "replicas", "max")) == "mlops.yaml:8:39 |4|"
    assert shown(document, (*at, "clients", 0)) == "mlops.yaml:5:94 |c|"
    laid = document.laid[(*at, "replicas", "min")]
    assert laid.origin == ("environments", "production", "overrides", *at, "replicas", "min")
    assert laid.beneath is not None
    assert (laid.beneath.line, laid.beneath.column) == (8, 31)
    assert document.laid[(*at, "env", "B")].beneath is None
    assert (*at, "replicas") not in document.laid  # its mapping is still the item's


def test_null_removes_and_the_place_of_what_is_gone_is_the_null() -> None:
    overrides = "{models: {m: {serving: {env: null}, owner: ~}}}"
    composition = composed(production(overrides, ITEM))
    assert "owner" not in model(composition, "production")
    document = composition.environments["production"]
    at = ("models", "m", "serving", "env")
    assert shown(document, at) == "mlops.yaml:5:56 |null|"
    assert shown(document, (*at, "A")) == "mlops.yaml:8:5 |serving|"


def test_what_an_override_adds_has_its_place_with_all_below() -> None:
    overrides = "{models: {m: {monitoring: {performance: {mae: {max: 3}}}}}}"
    document = composed(production(overrides, ITEM)).environments["production"]
    at = ("models", "m", "monitoring", "performance", "mae", "max")
    assert shown(document, at) == "mlops.yaml:5:79 |3|"
    assert shown(document, at[:3], on_key=True) == "mlops.yaml:5:41 |monitoring|"
    assert {path for path in document.laid if path[:3] == at[:3]} == {at[:n] for n in range(3, 7)}


def test_a_member_of_a_group_takes_the_place_of_the_others() -> None:
    overrides = "{sources: {s: {parquet: p}}, alerts: {channels: {c: {email: {to: [a]}}}}}"
    rest = "sources: {s: {csv: c, timestamp: t}}\nalerts: {channels: {c: {slack: {channel: x}}}}\n"
    document = composed(production(overrides, rest)).environments["production"]
    assert document.data["sources"] == {"s": {"timestamp": "t", "parquet": "p"}}
    assert get(document.data, "alerts", "channels", "c") == {"email": {"to": ["a"]}}
    assert ("sources", "s", "csv") in document.removed


def test_two_members_in_one_override_are_left_for_the_language_to_refuse() -> None:
    overrides = "{sources: {s: {parquet: p, csv: q}}}"
    document = composed(production(overrides, "sources: {s: {}}\n")).environments["production"]
    assert get(document.data, "sources", "s") == {"parquet": "p", "csv": "q"}
    overrides = "{sources: {s: {parquet: p, csv: null}}}"
    document = composed(production(overrides, "sources: {s: {csv: c}}\n")).environments[
        "production"
    ]
    assert get(document.data, "sources", "s") == {"parquet": "p"}


@pytest.mark.parametrize(
    ("over", "item", "meant"),
    [
        ("{max: 1}", "float32", {"type": "float32", "max": 1}),
        ("float64", "float32", "float64"),
        ("float64", "{type: float32, min: 0}", {"type": "float64", "min": 0}),
        ("{type: int64}", "float32", {"type": "int64"}),
        ("float64", "{min: 0}", {"min": 0, "type": "float64"}),
    ],
)
def test_shorthand_columns_under_overrides(over: str, item: str, meant: object) -> None:
    overrides = f"{{sources: {{s: {{columns: {{c: {over}}}}}}}}}"
    rest = f"sources:\n  s: {{columns: {{c: {item}}}}}\n"
    composition = composed(production(overrides, rest))
    document = composition.environments["production"]
    at = ("sources", "s", "columns", "c")
    assert get(document.data, *at) == meant
    if isinstance(meant, dict):
        kept = "float32" in item and meant["type"] == "float32"
        assert shown(document, (*at, "type")).split(":")[1] == ("7" if kept else "5")


def test_aliases_come_apart_where_one_of_them_is_changed() -> None:
    rest = "models:\n  n: &n {serving: &s {replicas: {min: 1}}}\n  m: *n\n  o: {serving: {<<: *s, x: 1}}\n"
    overrides = "{models: {m: {serving: {replicas: {min: 9}}}, o: {serving: {replicas: {min: 8}}}}}"
    document = composed(production(overrides, rest)).environments["production"]
    models = get(document.data, "models")
    assert [models[n]["serving"]["replicas"]["min"] for n in "nmo"] == [1, 9, 8]
    assert shown(document, ("models", "n", "serving", "replicas", "min")) == "mlops.yaml:7:39 |1|"
    laid = document.laid[("models", "m", "serving", "replicas", "min")]
    assert laid.beneath is not None
    assert (laid.beneath.line, laid.beneath.column) == (7, 39)


def test_an_alias_in_an_override_stands_at_its_anchor() -> None:
    spec = (
        HEAD
        + "environments:\n  staging: {overrides: {services: &s {mlflow: {url: a}}}}\n"
        + "  production: {overrides: {services: *s}}\n"
    )
    document = composed(spec).environments["production"]
    assert shown(document, ("services", "mlflow", "url")) == "mlops.yaml:4:53 |a|"
    assert document.laid[("services", "mlflow", "url")].origin[1] == "production"


def test_an_override_of_another_file_stands_there() -> None:
    files = {
        SPEC: HEAD + TWO + "include: [p.yaml]\n" + ITEM,
        "p.yaml": "environments:\n  production:\n    overrides: {models: {m: {owner: me}}}\n",
    }
    document = composed(files).environments["production"]
    assert shown(document, ("models", "m", "owner")) == "p.yaml:3:37 |me|"


@pytest.mark.parametrize(
    ("overrides", "place", "message", "help_"),
    [
        ("{models: {n: {}}}", "5:37", "there is no model 'n' here", "define the model itself"),
        ("{models: {mm: {}}}", "5:37", "there is no model 'mm'", "did you mean 'm'?"),
        ("{sources: {s: {}}}", "5:38", "there is no source 's'", "with `only`"),
        ("{alerts: {rules: {r: {}}}}", "5:45", "there is no rule 'r'", "with `only`"),
        ("{models: {m: {ownr: null}}}", "5:41", "`models.m.ownr`", "did you mean 'owner'?"),
        ("{models: {m: {x: {y: null}}}}", "5:45", "`models.m.x.y`", "null removes"),
        ("{modls: null}", "5:28", "there is no `modls`", "did you mean 'models'?"),
        ("{models: {m: {only: [staging]}}}", "5:41", "`only` says where a model exists", "itself"),
        ("{project: other}", "5:28", "`project` is the same in every environment", "take it out"),
        ("{variables: {a: 1}}", "5:28", "`variables` is the same", "`variables` of its own"),
        ("{environments: {}}", "5:28", "`environments` is the same", "take it out"),
        ("{patches: []}", "5:28", "`patches` is the same", "take it out"),
        ("{include: [a]}", "5:28", "`include` is the same", "take it out"),
        ("{defaults: {}}", "5:28", "`defaults` is the same", "take it out"),
        ("{apiVersion: x}", "5:28", "`apiVersion` is the same", "take it out"),
    ],
)
def test_an_override_that_meets_nothing_or_what_composes(
    overrides: str, place: str, message: str, help_: str
) -> None:
    out = said_in_composing(production(overrides, ITEM))
    assert out.count("error[") == 1
    assert f"--> mlops.yaml:{place}\n" in out
    assert message in out
    assert help_ in out


# --- only -------------------------------------------------------------------------------------


def test_only_takes_an_item_out_of_other_environments() -> None:
    spec = (
        HEAD
        + "environments: {dev: {}, staging: {}, production: {}}\n"
        + "models: {a: {only: [dev]}, b: {only: [staging, production]}, c: {}}\n"
        + "alerts: {channels: {x: {only: [dev]}}, rules: {y: {only: [production]}}}\n"
    )
    composition = composed(spec)
    assert [list(get(one.data, "models")) for one in composition.environments.values()] == [
        ["a", "c"],
        ["b", "c"],
        ["b", "c"],
    ]
    assert list(get(composition.base.data, "models")) == ["b", "c", "a"]  # shared files hold all
    alerts = composition.base.data["alerts"]
    assert alerts == {
        "channels": {"x": {"only": ["dev"]}},
        "rules": {"y": {"only": ["production"]}},
    }
    assert composition.environments["production"].data["alerts"] == {
        "channels": {},
        "rules": alerts["rules"],  # type: ignore[index, call-overload]
    }


def test_an_item_of_an_earlier_environment_is_shared_as_it_is_there() -> None:
    spec = (
        HEAD
        + "environments:\n  dev: {variables: {x: 1}, overrides: {models: {m: {owner: me}}}}\n"
        + "  production: {overrides: {models: null}}\n"
        + "models: {m: {only: [dev], runbook: '${env.name}/${var.x}'}}\n"
    )
    composition = composed(spec)
    assert "models" not in composition.environments["production"].data
    document = composition.base
    assert get(document.data, "models", "m") == {
        "only": ["dev"],
        "runbook": "dev/1",
        "owner": "me",
    }
    assert document.laid[("models", "m", "owner")].layer == "override"
    assert ("models", "m", "runbook") in document.filled


def test_only_may_be_a_default() -> None:
    spec = HEAD + TWO + "defaults: {models: {only: [staging]}}\nmodels: {m: {}, n: {only: null}}\n"
    composition = composed(spec)
    assert list(get(composition.environments["production"].data, "models")) == ["n"]
    assert list(get(composition.environments["staging"].data, "models")) == ["m", "n"]


@pytest.mark.parametrize(
    ("only", "place", "message", "help_"),
    [
        ("[prodction]", "4:21", "there is no environment 'prodction'", "did you mean 'production'"),
        (
            "[production, qa]",
            "4:33",
            "there is no environment 'qa'",
            "there are: staging, production",
        ),
        ("[]", "4:20", "model 'm' is in no environment", "name one of: staging, production"),
    ],
)
def test_only_that_meets_nothing(only: str, place: str, message: str, help_: str) -> None:
    out = said_in_composing(f"{HEAD}{TWO}models: {{m: {{only: {only}}}}}\n")
    assert out.count("error[") == 1
    assert f"--> mlops.yaml:{place}\n" in out
    assert message in out
    assert help_ in out


def test_only_knows_the_environment_of_a_spec_that_names_none() -> None:
    assert said_in_composing(HEAD + "models: {m: {only: [production]}}\n") == ""
    assert "no environment 'staging'" in said_in_composing(
        HEAD + "models: {m: {only: [staging]}}\n"
    )


def test_an_override_of_an_item_that_is_elsewhere_says_where() -> None:
    out = said_in_composing(
        production("{models: {m: {owner: a}}}", "models: {m: {only: [staging]}}\n")
    )
    assert "there is no model 'm' here for this to change" in out
    assert "the model is `only` in staging" in out


@pytest.mark.parametrize("only", ["staging", "{a: b}", "3", "", "[3]", "[[a]]"])
def test_only_of_the_wrong_shape_is_left_to_the_language(only: str) -> None:
    spec = f"{HEAD}{TWO}models:\n  m: {{target: 'x:y', only: {only}}}\n"
    if only == "":
        spec = spec.replace("only: }", "only: }")
    document = composed(spec).environments["production"]
    assert "m" in get(document.data, "models")


# --- together ---------------------------------------------------------------------------------


def test_the_order_defaults_item_variables_overrides() -> None:
    spec = (
        HEAD
        + "variables: {v: all}\n"
        + "defaults: {models: {a: default, b: default, c: default, d: 'default ${var.v}'}}\n"
        + "environments:\n  staging: {}\n"
        + "  production: {variables: {v: own}, overrides: {models: {m: {c: over, e: 'over ${var.v}'}}}}\n"
        + "models: {m: {b: item, c: item, f: 'item ${var.v}'}}\n"
    )
    composition = composed(spec)
    assert model(composition, "staging") == {
        "a": "default",
        "b": "item",
        "c": "item",
        "d": "default all",
        "f": "item all",
    }
    assert model(composition, "production") == {
        "a": "default",
        "b": "item",
        "c": "over",
        "d": "default own",
        "e": "over own",
        "f": "item own",
    }
    notes = [
        note.message for note in composition.environments["production"].notes(("models", "m", "e"))
    ]
    assert notes == [
        "this is an override of environment 'production'",
        "`${var.v}` is filled in from",
    ]
    default = composition.environments["staging"].notes(("models", "m", "d"))
    assert [(note.message, note.at and note.at.column) for note in default] == [  # type: ignore[union-attr]
        ("this is a default, laid under every item of `models`", None),
        ("`${var.v}` is filled in from", 16),
    ]


def test_environments_stay_in_order_and_alike_ones_share() -> None:
    names = ["a", "b", "c", "d", "e"]
    own = {"c": "{overrides: {models: {m: {owner: c}}}}", "e": "{variables: {n: 2}}"}
    spec = (
        f"{HEAD}variables: {{n: 1}}\nenvironments:\n"
        + "".join(f"  {name}: {own.get(name, '{}')}\n" for name in names)
        + "models: {m: {runbook: 'r/${var.n}'}}\n"
    )
    composition = composed(spec)
    assert list(composition.environments) == names
    a, b, c, d, e = composition.environments.values()
    assert a is b
    assert d is not c
    assert e is composition.base
    assert [get(one.data, "models", "m") for one in (b, c, d, e)] == [
        {"runbook": "r/1"},
        {"runbook": "r/1", "owner": "c"},
        {"runbook": "r/1"},
        {"runbook": "r/2"},
    ]


def test_defaults_and_environments_that_multiply_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composing, "MAX_NODES", 500)
    keys = ", ".join(f"x-{n}: {n}" for n in range(50))
    items = "".join(f"  m{n}: {{}}\n" for n in range(50))
    out = said_in_composing(f"{HEAD}defaults: {{models: {{{keys}}}}}\nmodels:\n{items}")
    assert out.startswith(
        "error[Y025]: the spec grows beyond 500 values here\n  --> mlops.yaml:3:12\n"
    )
    monkeypatch.undo()
    monkeypatch.setattr(composing, "MAX_COMPOSED", 500)
    environments = "".join(f"  e{n}: {{variables: {{x: {n}}}}}\n" for n in range(20))
    out = said_in_composing(f"{HEAD}environments:\n{environments}services: {{x: '${{var.x}}'}}\n")
    assert out.count("error[Y025]") == 1
    assert "--> mlops.yaml:3:1\n" in out


def test_the_document_that_is_composed_is_not_changed() -> None:
    overrides = "{models: {m: {serving: {replicas: {min: 3}}, owner: null, x: '${var.v}'}}}"
    spec = production(overrides, DEFAULTS + ITEM + "variables: {v: 1}\n")
    document, again = gathered({SPEC: spec}), gathered({SPEC: spec})
    compose(document, MERGING)
    assert document == again


def test_free_keys_pass_through_at_every_level() -> None:
    overrides = "{models: {m: {x-a: 1}}, x-b: {c: 2}}"
    rest = "models: {m: {x-a: {y: 1}, x-c: 3}}\nx-b: {d: 1}\ndefaults: {models: {x-d: 4}}\n"
    document = composed(production(overrides, rest)).environments["production"]
    assert get(document.data, "models", "m") == {"x-a": 1, "x-c": 3, "x-d": 4}
    assert document.data["x-b"] == {"d": 1, "c": 2}


# --- what holds of every spec --------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "serving", "type", "min", "max", "owner", "parquet", "csv"])
SCALARS = st.one_of(
    st.integers(0, 9),
    st.booleans(),
    st.sampled_from(["x", "${project}", "${env.name}", "$${a}", "1"]),
)


def trees(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda below: st.one_of(
            st.lists(below, max_size=2), st.dictionaries(NAMES, below, max_size=3)
        ),
        max_leaves=8,
    )


def mappings(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, trees(scalars), max_size=4)


WITH_NULLS = st.one_of(SCALARS, st.none())
ANY_LAYERS = st.fixed_dictionaries(
    {
        "models": st.dictionaries(st.sampled_from(["m", "n"]), mappings(WITH_NULLS), max_size=2),
        "sources": st.dictionaries(
            st.just("s"),
            st.fixed_dictionaries(
                {"columns": st.dictionaries(NAMES, trees(WITH_NULLS), max_size=2)}
            ),
            max_size=1,
        ),
        "defaults": st.fixed_dictionaries(
            {
                "models": mappings(WITH_NULLS),
                "sources": st.fixed_dictionaries(
                    {"columns": st.dictionaries(NAMES, trees(WITH_NULLS), max_size=2)}
                ),
            }
        ),
        "over": mappings(WITH_NULLS),
    }
)
PROPERTY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def written(data: Data) -> str:
    import json

    return json.dumps(data, indent=1)


@PROPERTY
@given(ANY_LAYERS)
def test_there_is_a_place_for_every_path_and_nothing_else_whatever_is_laid(
    layers: dict[str, Any],
) -> None:
    over = layers.pop("over")
    spec = {"apiVersion": "mlopsc/v1", "project": "shop", **layers}
    overrides = {"models": dict.fromkeys(layers["models"], over)} if over else {}
    spec["environments"] = {"staging": {}, "production": {"overrides": overrides}}
    document = gathered({SPEC: written(spec)})
    try:
        composition = compose(document, MERGING)
    except Rejected as rejected:  # a null that meets nothing
        event("refused")
        if {finding.code for finding in rejected.findings} != {"Y036"}:
            raise
        return
    for one in (composition.base, *composition.environments.values()):
        check_places(one)


def by_hand(default: Any, item: Any) -> Any:
    """What `default` under `item` is, without groups, parts and shorthands."""
    if not isinstance(default, dict) or not isinstance(item, dict):
        return item
    merged = {
        key: by_hand(default[key], value) if key in default else value
        for key, value in item.items()
    }
    merged |= {key: value for key, value in default.items() if key not in item}
    return {key: value for key, value in merged.items() if not (key in default and value is None)}


PLAIN = mappings(st.integers(0, 9)).map(
    lambda one: {key: value for key, value in one.items() if key != "serving"}
)


@PROPERTY
@given(PLAIN, PLAIN)
def test_defaults_and_items_are_what_one_would_write_by_hand(
    default: dict[str, Any], item: dict[str, Any]
) -> None:
    spec = {"defaults": {"models": default}, "models": {"m": item}}
    data = compose(gathered({SPEC: written(spec)}), MERGING).base.data
    assert get(data, "models", "m") == by_hand(default, item)


@PROPERTY
@given(PLAIN, PLAIN)
def test_an_override_is_the_same_merge_the_other_way_round(
    over: dict[str, Any], item: dict[str, Any]
) -> None:
    spec = {
        "environments": {"production": {"overrides": {"models": {"m": over}}}},
        "models": {"m": item},
    }
    data = compose(gathered({SPEC: written(spec)}), MERGING).base.data
    assert get(data, "models", "m") == by_hand(item, over)


@PROPERTY
@given(mappings(SCALARS.filter(lambda one: "$" not in str(one))))
def test_an_override_by_what_is_there_changes_nothing(item: dict[str, Any]) -> None:
    plain = {"environments": {"production": {}}, "models": {"m": item}}
    over = {
        "environments": {"production": {"overrides": {"models": {"m": item}}}},
        "models": {"m": item},
    }
    before = compose(gathered({SPEC: written(plain)}), MERGING).base.data
    after = compose(gathered({SPEC: written(over)}), MERGING).base.data
    assert before["models"] == after["models"]
