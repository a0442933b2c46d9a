"""Writing a version into a spec: one line differs, and the meaning of nothing else."""

from __future__ import annotations

import difflib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlopsc.diagnostics.finding import Rejected
from mlopsc.workspace.edit import set_version


def meaning(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


SPEC = """\
# The spec of our team   (two blanks are meant)
project:   churn
environments:   # where it runs
    staging:
        namespace:  'ml-staging'
        versions:
            churn: "16"   # since May
            light: 'x'

    # production has its own cluster
    production: {namespace: ml, versions: {churn: 16, light: "3"}}   # careful
models:
  churn: {task:   classification,
          target: outcomes:churned}
"""


def test_a_version_in_a_block() -> None:
    after = set_version(SPEC, "staging", "churn", "17")
    assert changed(SPEC, after) == [
        '-             churn: "16"   # since May',
        '+             churn: "17"   # since May',
    ]


def test_a_version_in_a_flow_map() -> None:
    after = set_version(SPEC, "production", "churn", "17")
    assert after == SPEC.replace("churn: 16,", 'churn: "17",')


def test_another_model_in_a_block() -> None:
    after = set_version(SPEC, "staging", "tree", "1")
    assert changed(SPEC, after) == ['+             tree: "1"']
    assert meaning(after)["environments"]["staging"]["versions"] == {
        "churn": "16",
        "light": "x",
        "tree": "1",
    }


def test_another_model_in_a_flow_map() -> None:
    after = set_version(SPEC, "production", "tree", "1")
    assert after == SPEC.replace('light: "3"}', 'light: "3", tree: "1"}')


def test_the_same_version_changes_nothing() -> None:
    assert set_version(SPEC, "staging", "churn", "16") == SPEC
    assert set_version(SPEC, "staging", "light", "x") == SPEC


# «what is there|what comes in its place»
PLACES = [
    """\
environments:
    production:
        a: 1  # c
«|        versions:
            churn: "17"
»
    later:
""",
    """\
environments:
  production:
    a: 1
«|    versions:
      churn: "17"
»
# the end
""",
    """\
d: &d {x: 1}
environments:
  production:
    <<: *d
    n: [1,
      2]
«|    versions:
      churn: "17"
»""",
    """\
environments:
  production:
    o:
    - a: |
        text
«|    versions:
      churn: "17"
»  z: 1
""",
    """\
environments:
  production:
    versions:
      churn: «&v 16|"17"»  # nobody uses the anchor
""",
    """\
environments:
  production:
    versions:
      churn: «>-
        16
|"17"
»      b: '1'
""",
    'environments:\n  production: {«|versions: {churn: "17"}»}  # c\n',
    'environments:\n  production:«| {versions: {churn: "17"}}»  # c\nb: 1\n',
    'environments: {production: {a: 1«|, versions: {churn: "17"}»}}\n',
    "environments: {production: {versions: {a: '1'«|, churn: \"17\"»,}}}\n",
    "environments: {production: {versions: {a: &x '1', b: *x«|, churn: \"17\"»}}}\n",
    'environments:\n  production:\n    versions: {«|churn: "17"»}\n',
    'environments:\n  production:\n    versions: «null|{churn: "17"}»\n',
    'environments:\n  production:\n    versions:\n      churn:«| "17"»\n',
    'x-v: &v 16\nenvironments: {production: {versions: {churn: «*v|"17"», b: *v}}}\n',
    '{"environments": {"production": {"versions": {"churn": «"16"|"17"»}}}}',
    'project: a  # c\n«|environments:\n  production:\n    versions:\n      churn: "17"\n»# end\n',
    'project: a\nenvironments:«| {production: {versions: {churn: "17"}}}»\n',
]
CHOICE = re.compile(r"«([^»]*?)\|([^»|]*?)»")


@pytest.mark.parametrize("template", PLACES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_nothing_else_changes(template: str, newline: str, start: str) -> None:
    template = start + template.replace("\n", newline)
    before, after = CHOICE.sub(r"\1", template), CHOICE.sub(r"\2", template)
    assert set_version(before, "production", "churn", "17") == after
    assert meaning(after)["environments"]["production"]["versions"]["churn"] == "17"


def test_a_last_line_without_an_end() -> None:
    after = set_version("project: a", "production", "churn", "17")
    assert after == 'project: a\nenvironments:\n  production:\n    versions:\n      churn: "17"'


@pytest.mark.parametrize(
    "text",
    [
        "a: &p {n: 1}\nenvironments:\n  production: *p\n",
        "a: &p {versions: {b: '1'}}\nenvironments:\n  production:\n    <<: *p\n",
        "environments:\n  production:\n    versions: &v {churn: '1'}\n  staging: {versions: *v}\n",
        "environments: {production: {versions: {churn: &v '1', b: *v}}}\n",
        "environments:\n  staging: {}\n",
        "environments: []\n",
        "- 1\n",
        "",
        "a: [\n",
        "a: 1\na: 2\n",
        "a: 1\n---\nb: 1\n",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        set_version(text, "production", "churn", "17")
    (finding,) = caught.value.findings
    assert finding.code == "W050"
    assert finding.help


def test_an_unknown_environment_names_those_there_are() -> None:
    with pytest.raises(Rejected) as caught:
        set_version(SPEC, "prodution", "churn", "17")
    assert caught.value.findings[0].help == "one of: staging, production"


@pytest.mark.parametrize("version", ["", "a\nb", "\x1b[2J", "\u202e"])
def test_no_version(version: str) -> None:
    with pytest.raises(Rejected):
        set_version(SPEC, "staging", "churn", version)


printable = st.text(min_size=1, max_size=12).filter(str.isprintable)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True) | st.sampled_from(
    ["null", "true", "no", "on", "y", "e1"]
)


@settings(deadline=None)
@given(environment=st.sampled_from(["staging", "production"]), model=names, version=printable)
def test_any_version_of_any_model(environment: str, model: str, version: str) -> None:
    after = set_version(SPEC, environment, model, version)
    wanted = meaning(SPEC)
    wanted["environments"][environment]["versions"][model] = version
    assert meaning(after) == wanted
    assert len(changed(SPEC, after)) <= 2
    assert set_version(after, environment, model, version) == after
