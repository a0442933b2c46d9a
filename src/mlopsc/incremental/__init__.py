"""Compiling again what a change reaches: the changed files with those they refer to, and nothing else."""
