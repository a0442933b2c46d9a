"""A missing tool is a skip with its reason on a laptop, and a failure where it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import tools

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "HOME", tmp_path)


def test_a_missing_tool_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="'promtool' is not installed"):
        tools.need("promtool")


def test_a_missing_environment_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Python environment 'core'"):
        tools.python("core")


def test_an_installed_tool_is_returned(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/promtool").touch()
    assert tools.need("promtool") == tmp_path / "bin/promtool"


def test_missing_shared_data_skip_in_ci_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("MLOPSC_SHARED", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="crd-schemas"):
        tools.shared("crd-schemas")
    (tmp_path / "crd-schemas").mkdir()
    assert tools.shared("crd-schemas") == tmp_path / "crd-schemas"
