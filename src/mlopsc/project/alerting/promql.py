"""The few pieces of PromQL that rules are made of: numbers, durations, selectors, bucket bounds."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_EXPONENT: Final = range(-4, 6)  # Go prints a float with an exponent outside of these


@cache  # every window and moment of every test of every model is spelled by it
def duration(seconds: int) -> str:
    """Seconds as Prometheus writes them: 20160 → `5h36m`, 259200 → `3d`."""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def number(value: float) -> str:
    """A float as a PromQL literal that reads back as the same float, without a needless `.0`."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def quoted(text: str) -> str:
    """A PromQL string: Go's escapes are a superset of JSON's."""
    return encode_basestring(text)


def equals(labels: Mapping[str, str]) -> str:
    """Matchers that want each label to have its value."""
    return ",".join([f"{name}={quoted(value)}" for name, value in labels.items()])


def selector(metric: str, *matchers: str) -> str:
    """The series of `metric` that all matchers fit; empty matchers are left out."""
    inside = ",".join(part for part in matchers if part)
    return f"{metric}{{{inside}}}" if inside else metric


def literal(text: str) -> str:
    """Text for an annotation, in which Prometheus would read `{{` as a template."""
    return text.replace("{{", '{{ "{{" }}')


def bucket(bound: float, buckets: tuple[float, ...]) -> float | None:
    """The histogram's own upper bound that means `bound`; None if it has none like it."""
    return next((own for own in buckets if math.isclose(own, bound, rel_tol=1e-6)), None)


def upper_bound(bound: float) -> str:
    """A matcher of `le` for one bound, however the runtime and Prometheus spell it.

    Prometheus 3 writes every bound as a float (`1.0`), Prometheus 2 keeps what the runtime printed
    (`1`, `1.0`, `0.25`, `0.250`, `1e+06`).
    Source: https://prometheus.io/docs/prometheus/latest/migration/ (le and quantile label values).
    """
    plain = f"{Decimal(repr(float(bound))):f}".rstrip("0").rstrip(".")
    whole = "." not in plain
    spelled = _literally(plain) + ("([.]0+)?" if whole else "0*")
    if (exponent := _with_exponent(bound)) is None:
        return f"le=~{quoted(spelled)}"
    return f"le=~{quoted(f'{_literally(exponent)}|{spelled}')}"


def _with_exponent(bound: float) -> str | None:
    mantissa = Decimal(repr(float(bound))).normalize()
    power = mantissa.adjusted()
    if power in _EXPONENT:
        return None
    return f"{mantissa.scaleb(-power).normalize():f}e{power:+03d}"


def _literally(text: str) -> str:
    # Classes instead of backslashes, which would have to be doubled in a PromQL string.
    return text.replace(".", "[.]").replace("+", "[+]")
