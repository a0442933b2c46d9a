"""Durations, shares, quantities and schedules: their spelling in a spec, and what they mean."""

from __future__ import annotations

import itertools
from functools import cache
from zlib import crc32

SECOND = 1
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}


def seconds(duration: str) -> int:
    """The length of `30s`, `15m`, `1d`; parse has proven the spelling."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


def subsecond(duration: str) -> float:
    """Like `seconds`, for latencies: knows `ms` too."""
    if duration.endswith("ms"):
        return float(duration[:-2]) / 1000
    return float(duration[:-1]) * _UNITS[duration[-1]]


def duration_text(length: int) -> str:
    """Seconds in Prometheus' spelling, in the largest unit that divides them: 5400 → `90m`."""
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if length and length % size == 0:
            return f"{length // size}{unit}"
    return f"{length}s"


def share(value: str | float) -> float:
    """`30%` or `0.3` as 0.3. Rounded to 12 digits, so that 99.9 % is 0.999 and not its neighbour."""
    if isinstance(value, str):
        return round(float(value[:-1]) / 100, 12)
    return float(value)


def quantity(value: str | float) -> str:
    """A Kubernetes quantity as text: `1` and `0.5` may be written as numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# --- schedules -------------------------------------------------------------------------------

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NIGHT_HOURS = 5  # a daily run without an hour of its own starts between 0:00 and 4:59

EVEN_DURATIONS = "1m 2m 3m 5m 10m 15m 20m 30m 1h 2h 3h 4h 6h 8h 12h 1d 7d"


class BadSchedule(ValueError):
    """A schedule no scheduler would run; the message says why and what would be right."""


def cron_of(duration: int, owner: str) -> str:
    """The cron line that runs every `duration` seconds, its offset drawn from the owner's name.

    Raises:
        BadSchedule: no cron line runs that often evenly (7 hours, 2 days).
    """
    draw = crc32(owner.encode())
    minute, hour, weekday = draw % 60, draw // 60 % _NIGHT_HOURS, draw // 300 % 7
    if duration == WEEK:
        return f"{minute} {hour} * * {weekday}"
    if duration == DAY:
        return f"{minute} {hour} * * *"
    if duration % HOUR == 0 and DAY % duration == 0:
        step = duration // HOUR
        return f"{minute} * * * *" if step == 1 else f"{minute} {draw // 60 % step}-23/{step} * * *"
    if duration % MINUTE == 0 and HOUR % duration == 0:
        step = duration // MINUTE
        return "* * * * *" if step == 1 else f"{draw % step}-59/{step} * * * *"
    raise BadSchedule(f"no cron line repeats evenly every {duration_text(duration)}")


def longest_gap(cron: str) -> int:
    """Seconds between two runs of a cron line, the longest wait in four years of days.

    Raises:
        BadSchedule: a field is malformed, out of range, or the line never runs.
    """
    minutes, hours, days, months, weekdays = _fields(cron)
    times = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    within = max((b - a for a, b in itertools.pairwise(times)), default=0)
    overnight = times[0] + 24 * 60 - times[-1]
    _, _, day, month, weekday = cron.split()
    if (day, month, weekday) == ("*", "*", "*"):
        return max(within, overnight) * MINUTE
    running = _running_days(days, months, weekdays, either="*" not in (day[0], weekday[0]))
    if not running:
        raise BadSchedule("no day of any year matches")
    apart = max(b - a for a, b in zip(running, [*running[1:], running[0] + 1461], strict=True))
    return max(within, overnight + (apart - 1) * 24 * 60) * MINUTE


@cache
def _running_days(
    days: frozenset[int], months: frozenset[int], weekdays: frozenset[int], *, either: bool
) -> list[int]:
    """The days that match, counted from a first of January, over a leap cycle of 1461 days.

    Cron runs when day of month or day of week matches, if both are restricted (`either`).
    """
    running, count = [], 0
    for year in range(4):
        for month, length in enumerate(_MONTH_LENGTHS, 1):
            for day in range(1, length + (month == 2 and year == 0) + 1):  # noqa: PLR2004
                weekday = (count + 1) % 7
                by_date, by_week = day in days, weekday in weekdays or (weekday + 7) in weekdays
                if month in months and (by_date or by_week if either else by_date and by_week):
                    running.append(count)
                count += 1
    return running


def _fields(cron: str) -> tuple[frozenset[int], ...]:
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        raise BadSchedule(f"a cron line has five fields, this one has {len(parts)}")
    return tuple(
        frozenset(_expand(part, *field)) for part, field in zip(parts, _FIELDS, strict=True)
    )


def _expand(text: str, what: str, low: int, high: int) -> set[int]:
    values: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if step and (not step.isdigit() or int(step) == 0):
            raise BadSchedule(f"'{item}' is no {what}: the step after '/' is a number above 0")
        if span == "*":
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, what, low, high)
            last = _number(end, what, low, high) if dash else (high if step else first)
        if first > last:
            raise BadSchedule(f"'{item}' is no {what}: it ends before it begins")
        values.update(range(first, last + 1, int(step or 1)))
    return values


def _number(text: str, what: str, low: int, high: int) -> int:
    names = _MONTHS if what == "month" else _DAYS if what == "day of week" else []
    if text.lower() in names:
        return names.index(text.lower()) + low
    if not text.isdigit() or not low <= int(text) <= high:
        raise BadSchedule(f"'{text}' is no {what}: that is {low} to {high}")
    return int(text)
