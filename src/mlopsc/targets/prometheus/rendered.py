"""Annotations as Prometheus renders them, for the values that tests use.

Source of the formats: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

import re
from typing import Final

_PLACE: Final = re.compile(r"\{\{ (?P<template>[^{}]*) \}\}")


def rendered(annotation: str, value: float) -> str:
    """`annotation` with `$value` filled in."""
    return _PLACE.sub(lambda found: _filled(found["template"], value), annotation)


def _filled(template: str, value: float) -> str:
    if template == "$value | humanizePercentage":
        return f"{value * 100:.4g}%"
    if template == "$value | humanizeDuration":
        return _humanized(round(value))
    if template == 'printf "%.6g" $value':
        return f"{value:.6g}"
    return template.strip('"')  # a literal: {{ "{{" }}


def _humanized(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour}h {minute}m {second}s"
    if hours:
        return f"{hour}h {minute}m {second}s"
    return f"{minute}m {second}s" if minutes else f"{second}s"
