"""The exact tools that jobs run in. Raised by hand, together with a run of the tests."""

from __future__ import annotations

from typing import Final

PYTHON: Final = "python:3.11.13-slim-bookworm"
"""The oldest Python the programs run on; every package they need has wheels for it."""
PYTHON_GIT: Final = "python:3.11.13-bookworm"
"""The same with git and curl, for jobs that push or ask GitLab."""
BUILDKIT: Final = "moby/buildkit:v0.29.0-rootless"
"""Has git. Runs unprivileged where the runner allows user namespaces."""
KUBECTL: Final = "alpine/k8s:1.34.5"
"""kubectl, git, jq and a shell; works with clusters one minor version older to one newer."""
SKOPEO: Final = "quay.io/skopeo/stable:v1.20.0"
"""Gives a tag to an image inside a registry, without pulling it."""
DVC: Final = "3.67.1"
"""The version whose `dvc.yaml` the DVC target writes."""
