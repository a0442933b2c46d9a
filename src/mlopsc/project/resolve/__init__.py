"""`Spec` → `Project`: names followed, shorthands opened, defaults filled, nothing judged."""

from mlopsc.project.resolve.root import resolve

__all__ = ["resolve"]
