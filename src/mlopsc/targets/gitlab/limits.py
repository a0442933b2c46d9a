"""How much GitLab takes: the limits that generated pipelines are kept within, and the one of our own.

`docs/targets/gitlab.md` shows them; the tests compile a thousand models and hold every file to them.
Values are the defaults of GitLab 18; a self-managed instance may be set to others.
"""

from __future__ import annotations

from typing import Final

PARTS_TOGETHER: Final = 50
"""Models, built sources and materialized views up to which everything is one pipeline.

A choice of ours: two files a model are 100 of the 150 includes, and when something that all models
share changes, some ten jobs a model are the 500 that GitLab.com's free plan allows at a time.
"""

INCLUDES: Final = 150
"""Files a pipeline may include, nested ones too. docs.gitlab.com/ci/yaml/#include"""

TRIGGER_INCLUDES: Final = 3
"""Files a trigger job may name. docs.gitlab.com/ci/pipelines/downstream_pipelines,
"Combine multiple child pipeline configuration files"."""

FILE_BYTES: Final = 2 * 1024 * 1024
"""Size of a pipeline's file, as text and as what it takes in memory once it is read.
docs.gitlab.com/administration/cicd/limits, "Maximum size and depth of CI/CD configuration YAML files"."""

FILE_DEPTH: Final = 100
"""Depth of a pipeline's file; the same page."""

PIPELINE_BYTES: Final = INCLUDES * FILE_BYTES
"""Memory for all files of a pipeline. The same page, "Maximum size of the entire CI/CD configuration"."""

ACTIVE_JOBS: Final = 500
"""Jobs in active pipelines on GitLab.com's free plan; 20,000 with Premium, by default without limit
elsewhere. docs.gitlab.com/user/gitlab_com, "CI/CD"."""

NEEDS: Final = 50
"""Jobs that a job may need. docs.gitlab.com/administration/cicd/limits."""

CHANGES: Final = 50
"""Patterns of one `rules:changes`. docs.gitlab.com/ci/yaml/#ruleschanges"""

CHILD_DEPTH: Final = 2
"""Child pipelines below each other. docs.gitlab.com/ci/pipelines/downstream_pipelines."""

DOWNSTREAM: Final = 1000
"""Pipelines that one pipeline may start, with those below. docs.gitlab.com/administration/cicd/limits,
"Limit pipeline hierarchy size"."""
