"""`${…}`: what is filled in, as which type, in which environment, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from composing import HEAD, composed, get, refused, said, said_in_composing, shown
from mlopsc.source import compose as composing

TWO = "environments: {staging: {}, production: {}}\n"


def filled(variables: str, text: str, environment: str = "production") -> Any:
    """What stands in `x: TEXT` of a service once it is filled in."""
    spec = f"{HEAD}variables: {variables}\nservices:\n  x: {text}\n"
    return get(composed(spec).environments[environment].data, "services", "x")


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "alone", "inside"),
    [
        ("3", 3, "<3>"),
        ("0o17", 15, "<0o17>"),
        ("1.10", 1.1, "<1.10>"),
        ("12e5", 1200000.0, "<12e5>"),
        ("true", True, "<true>"),
        ("True", True, "<True>"),
        ("'true'", "true", "<true>"),
        ('"14"', "14", "<14>"),
        ("no", "no", "<no>"),
        ("''", "", "<>"),
        ("gs://b/x", "gs://b/x", "<gs://b/x>"),
        ("'$${x}'", "${x}", "<${x}>"),
    ],
)
def test_a_value_alone_keeps_its_type_and_inside_a_text_its_spelling(
    value: str, alone: object, inside: object
) -> None:
    for quoted in ("${var.v}", "'${var.v}'", '"${var.v}"'):
        assert filled(f"{{v: {value}}}", quoted) == alone
        assert type(filled(f"{{v: {value}}}", quoted)) is type(alone)
    assert filled(f"{{v: {value}}}", '"<${var.v}>"') == inside


def test_a_number_that_is_filled_in_keeps_its_spelling_too() -> None:
    document = composed(HEAD + "variables: {v: 1.10}\nservices: {x: '${var.v}'}\n").base
    assert document.raw[("services", "x")] == "1.10"
    assert shown(document, ("services", "x")) == "mlops.yaml:4:15 |'${var.v}'|"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$${HOME}/x", "${HOME}/x"),
        ("$HOME and $$", "$HOME and $$"),
        ("$${a}${var.v}$${b}", "${a}1${b}"),
        ("{$}", "{$}"),
        ("${var.v}${var.v}", "11"),
        ("$$${var.v}", "$$${var.v}"),
    ],
)
def test_what_is_left_as_it_is(text: str, meant: str) -> None:
    if text.startswith("$$$"):
        meant = "$${var.v}"  # `$${` is the text `${`; the `$` before it is one
    assert filled("{v: 1}", f"'{text}-${{var.v}}'") == f"{meant}-1"


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert filled("{v: '$${project}'}", "'${var.v}'") == "${project}"


def test_variables_of_variables() -> None:
    spec = (
        HEAD
        + "variables: {a: '${var.b}/${env.name}', b: 'gs://${project}', n: 2, m: '${var.n}'}\n"
        + TWO
        + "services: {x: '${var.a}/x', y: '${var.m}'}\n"
    )
    documents = composed(spec).environments
    assert get(documents["staging"].data, "services", "x") == "gs://shop/staging/x"
    assert get(documents["production"].data, "services", "x") == "gs://shop/production/x"
    assert get(documents["production"].data, "services", "y") == 2


def test_the_model_is_the_one_it_stands_in_with_defaults_too() -> None:
    spec = (
        HEAD
        + "defaults: {models: {runbook: 'https://wiki/${model}'}}\n"
        + "models:\n  a: {training: {command: 'train ${model} for ${project}'}}\n"
        + "  b: {runbook: 'https://own/${model}'}\n"
    )
    models = get(composed(spec).base.data, "models")
    assert models["a"] == {
        "training": {"command": "train a for shop"},
        "runbook": "https://wiki/a",
    }
    assert models["b"]["runbook"] == "https://own/b"


def test_each_environment_has_its_own() -> None:
    spec = (
        HEAD
        + "variables: {bucket: dev, n: 1}\n"
        + "environments:\n  staging: {versions: {m: '${env.name}-${var.n}'}}\n"
        + "  production: {variables: {bucket: prod, n: 2}, versions: {m: '${env.name}-${var.n}'}}\n"
        + "services: {x: 's3://${var.bucket}/${env.name}'}\n"
    )
    documents = composed(spec)
    assert documents.environments["staging"].data["services"] == {"x": "s3://dev/staging"}
    assert documents.environments["production"].data["services"] == {"x": "s3://prod/production"}
    assert documents.base is documents.environments["production"]
    for document in documents.environments.values():  # whoever looks at them
        versions = [
            get(document.data, "environments", e, "versions", "m") for e in documents.environments
        ]
        assert versions == ["staging-1", "production-2"]


def test_an_escape_that_hides_the_dollar_is_seen() -> None:
    spec = HEAD + TWO + 'services: {x: "\\u0024{env.name}", y: "\\x24\\x7Bproject}"}\n'
    documents = composed(spec).environments
    assert documents["staging"].data["services"] == {"x": "staging", "y": "shop"}
    assert documents["production"].data["services"] == {"x": "production", "y": "shop"}


def test_without_environments_there_is_production() -> None:
    assert filled("{v: 1}", "'${env.name}${var.v}'") == "production1"


@pytest.mark.parametrize("chapter", ["x-notes: {a: '${anything}'}", "ci: {jobs: {a: '${CI_X}'}}"])
def test_what_is_not_ours_is_left_alone(chapter: str) -> None:
    composition = composed(HEAD + chapter + "\nservices: {x: '${project}'}\n")
    assert "${" in str(composition.base.data)
    assert composition.base.data["services"] == {"x": "shop"}


def test_anchors_do_not_tie_what_is_filled_in_to_one_model() -> None:
    spec = HEAD + "models:\n  a: &a {runbook: 'x/${model}'}\n  b: *a\n  c: {<<: *a}\n"
    models = get(composed(spec).base.data, "models")
    assert [models[name]["runbook"] for name in "abc"] == ["x/a", "x/b", "x/c"]


def test_texts_in_lists_are_filled_in() -> None:
    spec = HEAD + "variables: {n: 1}\nmodels: {a: {features: ['${model}:x', b, ['${var.n}']]}}\n"
    assert get(composed(spec).base.data, "models", "a", "features") == ["a:x", "b", [1]]


# --- in the language --------------------------------------------------------------------------

SPEC = """\
apiVersion: mlopsc/v1
project: shop
variables: {share: 5%, rows: 100, who: ada, pinned: 1.10}
sources:
  orders:
    parquet: ${project}/orders.parquet
    timestamp: at
    owner: ${var.who}
    rows: {min: "${var.rows}"}
    columns:
      id: {type: string, unique: "${var.strict}"}
      total: {type: float64, nulls: "${var.share}"}
"""


def test_typed_fields_take_what_is_filled_in() -> None:
    spec = SPEC.replace("pinned: 1.10", "strict: true")
    assert said(spec) == ""


def test_a_value_of_the_wrong_type_points_to_where_it_is_used_and_where_it_comes_from() -> None:
    spec = SPEC.replace("pinned: 1.10", "strict: 'yes'").replace("rows: 100", "rows: many")
    assert refused(spec) == [
        'S002 mlops.yaml:9:17 |"${var.rows}"|',
        'S002 mlops.yaml:11:34 |"${var.strict}"|',
    ]
    assert "`${var.rows}` is filled in from at mlops.yaml:3:30" in said(spec)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "code", "message", "help_"),
    [
        ("${var.buket}", "Y033", "there is no variable 'buket'", "did you mean 'bucket'?"),
        ("${var.x}", "Y033", "there is no variable 'x'", "there are: bucket"),
        ("${model}", "Y033", "`${model}` means nothing here", "below `models.NAME`"),
        ("${HOME}", "Y035", "`${HOME}` is none of ${var.NAME}, ${env.name}", "write $NAME"),
        ("${var.}", "Y035", "`${var.}` is none of", "$${"),
        ("${var.A}", "Y035", "`${var.A}` is none of", "$${"),
        ("${ project }", "Y035", "`${ project }` is none of", "$${"),
        ("${env.NAME}", "Y035", "`${env.NAME}` is none of", "$${"),
        ("${}", "Y035", "`${}` is none of", "$${"),
        ("a ${ b", "Y035", "`${` is not closed by `}`", "$${"),
        ("${a${b}}", "Y035", "`${` is not closed by `}`", "$${"),
        ("${" + "a" * 500 + "}", "Y035", "`${" + "a" * 60 + "…}` is none of", "$${"),
    ],
)
def test_what_cannot_be_filled_in(written: str, code: str, message: str, help_: str) -> None:
    spec = (
        f"{HEAD}{TWO}variables: {{bucket: a}}\nservices: {{y: '${{var.bucket}}', x: '{written}'}}\n"
    )
    out = said_in_composing(spec)
    assert out.count("error[") == 1  # though it is wrong in both environments
    assert f"error[{code}]: {message}" in out
    assert "--> mlops.yaml:5:35\n" in out
    assert help_ in out


def test_every_use_of_an_unknown_variable_is_a_mistake_of_its_own() -> None:
    spec = HEAD + "services: {a: '${var.n}', b: 'x${var.n}'}\n"
    assert [line for line in said_in_composing(spec).split("\n") if "-->" in line] == [
        "  --> mlops.yaml:3:15",
        "  --> mlops.yaml:3:30",
    ]
    assert "add it: `variables: {n: …}`" in said_in_composing(spec)


def test_a_variable_of_another_environment() -> None:
    spec = (
        HEAD
        + "environments: {staging: {variables: {n: 1}}, production: {}}\n"
        + "services: {a: '${var.n}'}\n"
    )
    out = said_in_composing(spec)
    assert out.startswith("error[Y033]: there is no variable 'n' in environment 'production'\n")
    assert "environment 'staging' has one" in out


def test_variables_that_lead_back_to_themselves() -> None:
    spec = (
        HEAD
        + "variables:\n  a: x${var.b}\n  b: ${var.c}\n  c: ${var.a}\nservices: {x: '${var.a}', y: '${var.b}'}\n"
    )
    assert said_in_composing(spec) == (
        "error[Y034]: variables lead back to themselves: a → b → c → a\n"
        "  --> mlops.yaml:4:6\n"
        "   |\n"
        " 4 |   a: x${var.b}\n"
        "   |      ^^^^^^^^^\n"
        "   = help: write one of them out\n"
    )
    assert "a → a" in said_in_composing(HEAD + "variables: {a: '${var.a}'}\nx: '${var.a}'\n")


def test_a_mistake_in_a_variable_is_said_once_at_the_variable() -> None:
    spec = HEAD + "variables: {a: '${var.nope}'}\nservices: {x: '${var.a}', y: '${var.a}'}\n"
    out = said_in_composing(spec)
    assert out.count("error[") == 1
    assert "--> mlops.yaml:3:16\n" in out


@pytest.mark.parametrize(
    ("variables", "place", "message"),
    [
        ("{a: }", "mlops.yaml:3:16", "`variables.a` must be a number, a text, or true or false"),
        ("{a: {b: 1}}", "mlops.yaml:3:16", "not a mapping"),
        ("{a: [1]}", "mlops.yaml:3:16", "not a list"),
        ("[a]", "mlops.yaml:3:12", "`variables` must be a mapping, not a list"),
        ("a", "mlops.yaml:3:12", "`variables` must be a mapping, not text"),
    ],
)
def test_variables_of_the_wrong_shape(variables: str, place: str, message: str) -> None:
    spec = f"{HEAD}variables: {variables}\ndescription: a ${{var.a}}\n"
    out = said(spec)
    assert out.count("error[") == 1
    assert f"--> {place}\n" in out
    assert message in out


def test_nothing_is_filled_into_the_name_of_the_project() -> None:
    spec = "apiVersion: mlopsc/v1\nproject: ${env.name}\ndescription: the ${project}\n"
    assert refused(spec) == ["Y035 mlops.yaml:2:10 |${env.name}|"]


@pytest.mark.parametrize("project", ["", "project: 3", "project: [a]", "project: A"])
def test_a_project_without_a_proper_name_is_one_mistake(project: str) -> None:
    spec = f"apiVersion: mlopsc/v1\n{project}\ndescription: the ${{project}}\nowner: ${{project}}\n"
    assert len(refused(spec)) == 1


# --- limits -----------------------------------------------------------------------------------


def chain(length: int, value: str) -> str:
    lines = [f"  v{n}: {value.format(n + 1)}\n" for n in range(length)]
    return HEAD + "variables:\n" + "".join(lines) + f"  v{length}: x\ndescription: ${{var.v0}}\n"


def test_variables_that_multiply_are_refused_before_they_cost_anything() -> None:
    out = said_in_composing(chain(40, "'${{var.v{0}}}${{var.v{0}}}${{var.v{0}}}'"))
    assert out.count("error[Y025]") == 1
    assert "more than 1,048,576 characters" in out


def test_a_long_way_of_variables_is_refused() -> None:
    assert said_in_composing(chain(45, "a${{var.v{0}}}")) == ""
    out = said_in_composing(chain(3000, "a${{var.v{0}}}"))
    assert out.startswith("error[Y034]: variables lead to each other more than 50 deep\n")


def test_all_that_is_filled_in_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "MAX_ALL_FILLED", 1000)
    spec = HEAD + "variables: {a: " + "x" * 100 + "}\nservices:\n"
    uses = "".join(f"  s{n}: ${{var.a}}\n" for n in range(20))
    assert "error[Y025]" in said_in_composing(spec + uses)
    assert said_in_composing(spec + uses[: len(uses) // 4]) == ""


# --- nobody's -----------------------------------------------------------------------------------


def test_variables_that_nobody_uses_are_refused_where_they_stand() -> None:
    spec = (
        HEAD
        + "variables: {a: 1, b: '${var.c}', c: 2, d: 3, e: up}\n"
        + "environments:\n  staging: {variables: {a: 5, e: up}}\n  production: {variables: {f: 1}}\n"
        + "sources:\n"
        + "  s: {parquet: '${var.a}-${var.d}', timestamp: t, columns: {x: string}, only: [staging]}\n"
        + "alerts: {rules: {r: {query: '${var.e}', max: 1, only: [production]}}}\n"
    )
    assert refused(spec) == [
        "N012 mlops.yaml:3:19 |b|",
        "N012 mlops.yaml:5:31 |e|",
        "N012 mlops.yaml:6:28 |f|",
    ]
    out = said(spec)
    assert "variable 'b' is used by nobody" in out
    assert "variable 'e' of environment 'staging' is used by nobody" in out


def test_a_variable_used_by_a_version_a_default_or_an_override_is_used() -> None:
    spec = (
        HEAD
        + "variables: {a: 1, b: 1, c: 1, d: 1}\n"
        + "environments: {staging: {versions: {m: '${var.a}'}},\n"
        + "  production: {overrides: {services: {x: '${var.b}'}}, variables: {d: 2}}}\n"
        + "defaults: {models: {runbook: '${var.c}'}}\nmodels: {m: {owner: '${var.d}'}}\n"
    )
    assert said_in_composing(spec) == ""


def test_a_misspelled_variable_is_not_unused_on_top() -> None:
    spec = HEAD + "variables: {bucket: a}\ndescription: ${var.buket}\n"
    assert refused(spec) == ["Y033 mlops.yaml:4:14 |${var.buket}|"]
