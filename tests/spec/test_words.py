"""The scalars: what their patterns take, in Rust's engine, which validates."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from mlopsc.spec import words

RIGHT: dict[str, list[object]] = {
    "Name": ["a", "churn_2", "a" * 40],
    "ColumnName": ["customerID", "A", "x" * 63],
    "Reference": ["view", "view:Field"],
    "FieldReference": ["outcomes:churned"],
    "PythonReference": ["m:f", "src.features:ratios"],
    "Duration": ["30s", "15m", "1h", "7d", "2w"],
    "Hold": ["0s", "10m"],
    "Latency": ["200ms", "1.5s", "0.25s"],
    "Percentile": ["p5", "p50", "p99", "p99.9"],
    "Cron": ["0 3 * * 1", "*/15 8-18 1,15 jan-mar MON", "0  0 1 1 0"],
    "Schedule": ["1h", "0 3 * * *"],
    "Share": [0, 1, 0.3, "30%", "99.9%", "100%"],
    "Level": [5, 0.5, -3, "30%"],
    "Cut": ["30d", "20%", 0.2],
    "Cpu": [1, 0.5, "500m", "2", "0.5"],
    "Bytes": ["16Gi", "512Mi", "1.5Gi"],
    "ProjectPath": ["a.txt", ".gitlab-ci.yml", "a/..b/c", "src/**/*", "a b/c"],
    "Files": ["data/x.parquet", "s3://bucket/x", "gs://b/f/*.parquet", "${var.b}/x"],
    "Storage": ["gs://bucket/folder", "${var.bucket}/churn"],
    "Table": ["t", "public.t", "acme-prod.growth.t", "${var.w}.t"],
    "WebAddress": ["https://a.example.com", "http://prometheus.monitoring:9090"],
    "Repository": ["gitlab.example.com/growth/churn", "host:8443/a/b"],
    "Registry": ["registry.example.com/growth/churn", "localhost:5000"],
    "Image": ["train", "python:3.11.10-slim", "r.example.com:5000/a/b@sha256:" + "0" * 64],
    "DnsLabel": ["churn-staging", "a"],
    "TimeZone": ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1"],
    "Brokers": ["a:9092", "a.b:9092,c:9093"],
    "Version": ["14", "1.2.3", "a_b-c"],
    "PythonVersion": ["3.11", "3.12.4"],
    "DebianPackage": ["libgomp1", "g++", "libgomp1=12.2.0-14"],
    "Matchers": ['code=~"5.."', 'a="b", c!="d"'],
    "MailAddresses": ["a@b.c", "a@b.c, d@e.f"],
    "SlackChannel": ["#growth-ml", "@someone"],
    "Step": ["5%", "100%", "approve"],
}
WRONG: dict[str, list[object]] = {
    "Name": ["", "A", "1a", "a-b", "a" * 41, "a\n", "a.b", 3, None],
    "ColumnName": ["", "1", "a b", "a-b", "x" * 64, "_a", "a'"],
    "Reference": ["a:", ":a", "a:b:c", "A"],
    "FieldReference": ["outcomes", "a: b"],
    "PythonReference": ["f", "m.f", "m:f()", "a/b:f"],
    "Duration": ["0s", "1", "1.5h", "1h30m", "-1d", "1y", "01d", "1d\n", 30],
    "Hold": ["0", "0m"],
    "Latency": ["0s", "1m", "200"],
    "Percentile": ["p0", "p100", "95", "p999"],
    "Cron": ["* * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 7",
             "0 0 * * * *", "@daily", "*/0 * * * *", "0 0 * * ?"],
    "Schedule": ["", "daily", "0h"],
    "Share": [1.5, -0.1, "101%", "30", "30 %", True, "-1%"],
    "Level": ["30", True, None, []],
    "Cut": [0, 1, 30, "30"],
    "Cpu": [0, -1, "0", "0m", "0.5m", "1Gi", True],
    "Bytes": ["16", 16, "16GB", "0Gi", "16gi"],
    "ProjectPath": ["", "/etc/passwd", "..", ".", "../a", "a/../b", "a//b", "a\\b", "C:/x", "a\nb",
                    "./a"],
    "Files": ["../x", "/x", "a/../../b", "s3://a b", "S3://x"],
    "Storage": ["/mnt/x", "churn", "gs://a b"],
    "Table": ["a b", "a;drop", "a.b.c.d.e", "a..b", '"a"', "a'b"],
    "WebAddress": ["ftp://x", "example.com", "https://a b", 'https://"', "https://"],
    "Repository": ["https://gitlab.example.com/a", "host", "host/../x"],
    "Registry": ["Registry.example.com", "https://x", "a/B"],
    "Image": ["", "-x", "a b", "a@sha256:12", "A"],
    "DnsLabel": ["-a", "a-", "a_b", "A", "a" * 64],
    "TimeZone": ["", "Europe/", "../etc", "UTC+1"],
    "Brokers": ["a", "a:", "a:b", "a:1;b:2"],
    "Version": ["", 14, "a/b", "-a", "$(x)"],
    "PythonVersion": [3.11, "2.7", "3", "3.11-slim"],
    "DebianPackage": ["A", "a b", "a;b", "-y"],
    "Matchers": ["code", "code=5", 'a="b" or c="d"', 'a="b"}'],
    "MailAddresses": ["a", "a@b c@d", "<a@b>"],
    "SlackChannel": ["growth", "#a b", "#"],
    "Step": ["0%", "5", "101%", "stop"],
}  # fmt: skip


def cases(table: dict[str, list[object]]) -> list[tuple[str, object]]:
    return [(name, value) for name, values in table.items() for value in values]


def adapter(name: str) -> TypeAdapter[object]:
    return TypeAdapter(getattr(words, name), config={"strict": True, "allow_inf_nan": False})


@pytest.mark.parametrize(("name", "value"), cases(RIGHT))
def test_what_is_right_is_taken_as_it_is(name: str, value: object) -> None:
    taken = adapter(name).validate_python(value)
    assert taken == value


@pytest.mark.parametrize(("name", "value"), cases(WRONG))
def test_what_is_wrong_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        adapter(name).validate_python(value)


def test_a_whole_number_stays_one() -> None:
    """30 in a bound must not come out as 30.0."""
    assert isinstance(adapter("Level").validate_python(30), int)
    assert isinstance(adapter("Cpu").validate_python(4), int)
    assert isinstance(adapter("Number").validate_python(3), int)
