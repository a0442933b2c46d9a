"""Tests of the workspace room: what may happen to files, and what must not."""
