"""Bytes become text, or a finding that says what they look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.source.encoding import lossy_text
from mlopsc.source.yaml import MAX_BYTES, decode


def refused(data: bytes) -> Finding:
    with pytest.raises(Rejected) as caught:
        decode("mlops.yaml", data)
    (finding,) = caught.value.findings
    return finding


def test_utf_8_is_text_and_its_mark_is_dropped() -> None:
    assert decode("a", "é: 名\r\n".encode()).text == "é: 名\r\n"
    assert decode("a", b"\xef\xbb\xbfa: 1\n").text == "a: 1\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_other_unicode_encodings_are_named(encoding: str) -> None:
    finding = refused("project: flights\n".encode(encoding))
    assert finding.code == "Y001"
    assert encoding[:6].upper() in finding.message
    assert "UTF-8" in (finding.help or "")


def test_a_byte_of_another_encoding_has_its_place() -> None:
    finding = refused(
        "project: flights\r\nowner: é Müller\r\n".encode().replace(b"\xc3\xbc", b"\xfc")
    )
    assert finding.code == "Y001"
    assert "0xFC" in finding.message
    assert "'ü'" in (finding.help or "")
    assert finding.at == Place("mlops.yaml", 2, 11, 12)


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"a: 1\nb: \0\n", 2, 4), (b"\0", 1, 1), (b"PAR1\x15\0\x15", 1, 6), (b"a\rb\0", 2, 2)],
)
def test_a_binary_file_is_no_text(data: bytes, line: int, column: int) -> None:
    finding = refused(data)
    assert finding.code == "Y002"
    assert finding.at == Place("mlops.yaml", line, column, column + 1)


def test_a_file_above_the_limit_is_refused() -> None:
    assert decode("a", b" " * MAX_BYTES).text
    assert refused(b" " * (MAX_BYTES + 1)).code == "Y004"


@given(st.binary())
def test_any_bytes_are_text_or_refused_at_a_place(data: bytes) -> None:
    try:
        assert decode("a", data).text == lossy_text(data)
    except Rejected as rejected:
        (finding,) = rejected.findings
        assert finding.code in ("Y001", "Y002")
        assert finding.help
