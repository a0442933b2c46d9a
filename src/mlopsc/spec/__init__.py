"""The spec: what a user may write."""
