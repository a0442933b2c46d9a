from __future__ import annotations

import re
from typing import get_args

import pytest

from mlopsc.project.runtimes import CUSTOM, RUNTIMES, failures_counted, idle_matchers
from mlopsc.spec.vocabulary import ModelFormat, Runtime


def test_each_word_of_the_language_is_known() -> None:
    assert {*RUNTIMES, CUSTOM} == set(get_args(Runtime))


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_says_all_that_is_asked_of_it(name: str) -> None:
    runtime = RUNTIMES[name]
    assert runtime.formats
    assert set(runtime.formats) <= set(get_args(ModelFormat))
    assert re.fullmatch(r"[a-z0-9./-]+:[0-9][A-Za-z0-9.-]*", runtime.base)  # by version
    assert all("==" in package for package in runtime.packages)
    for path in (
        runtime.predict,
        runtime.health.startup,
        runtime.health.readiness,
        runtime.health.liveness,
    ):
        assert path.startswith("/")
    assert runtime.exposed.source


@pytest.mark.parametrize("name", RUNTIMES)
def test_its_metrics_are_about_one_model(name: str) -> None:
    origin = ("models", "churn", "serving", "runtime")
    metrics = RUNTIMES[name].metrics("churn", origin)
    assert metrics.origin == origin
    assert "{model}" not in f"{metrics.matchers}{metrics.errors}"
    assert metrics.errors
    assert list(metrics.buckets) == sorted(set(metrics.buckets))
    assert (metrics.latency is None) == (not metrics.buckets)


def test_a_runtime_without_a_histogram_says_so() -> None:
    assert {name for name, runtime in RUNTIMES.items() if runtime.exposed.latency is None} == {
        "triton",
        "torchserve",
    }


def test_the_bounds_of_tensorflow_serving_are_the_ones_it_prints() -> None:
    buckets = RUNTIMES["tfserving"].exposed.buckets
    assert len(buckets) == 32
    assert {10.0, 18.0, 32.4, 708235.0} <= set(buckets)


def test_what_is_not_known_of_a_custom_runtime() -> None:
    assert failures_counted(CUSTOM)
    assert idle_matchers(CUSTOM, "churn") is None
    assert idle_matchers("triton", "churn") == 'model="churn"'
    assert idle_matchers("mlserver", "churn") == ""
    assert not failures_counted("triton")
