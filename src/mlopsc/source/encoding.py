"""Bytes → `Source`: UTF-8 text, or findings that say what the bytes look like instead."""

from __future__ import annotations

import codecs
from typing import Final, NoReturn

from mlopsc.diagnostics.finding import Finding, Place, Rejected
from mlopsc.source.document import Source
from mlopsc.source.limits import MAX_BYTES

_OTHER_MARKS: Final = (
    # UTF-32 first: its little-endian mark begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAVE_AS: Final = "save it as UTF-8; on a shell: `iconv -f {encoding} -t UTF-8 OLD > NEW`"


def decode(name: str, data: bytes) -> Source:
    """The text of `data`, without a byte order mark; line ends stay as they are.

    Raises:
        Rejected: Y001 for another encoding, Y002 for a file that is not text, Y004 for one above
            `MAX_BYTES`.
    """
    if len(data) > MAX_BYTES:
        _refuse(
            "Y004",
            f"the file has {len(data):,} bytes, the limit is {MAX_BYTES:,}",
            name,
            "a spec describes data and never holds it; check the file's name",
        )
    for mark, encoding in _OTHER_MARKS:
        if data.startswith(mark):
            _refuse(
                "Y001",
                f"the file is {encoding}, a spec is UTF-8",
                name,
                _SAVE_AS.format(encoding=encoding),
            )
    data = data.removeprefix(codecs.BOM_UTF8)
    zero = data.find(b"\0")
    if zero >= 0:
        _refuse_zero(name, data, zero)
    try:
        return Source(name, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        _refuse_byte(name, data, error.start)


def lossy_text(data: bytes) -> str:
    """`data` as text to show in a diagnostic about it, with U+FFFD for what is not UTF-8."""
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _refuse(code: str, message: str, name: str, advice: str) -> NoReturn:
    raise Rejected((Finding(code, message, Place(name, 1, 1, 1), advice),))


def _refuse_zero(name: str, data: bytes, zero: int) -> NoReturn:
    sample = data[:1000]
    if len(sample) > 1 and 0 in (
        sample[1::2].count(0) - len(sample) // 2,
        sample[::2].count(0) - (len(sample) + 1) // 2,
    ):
        encoding = "UTF-16LE" if sample[1] == 0 else "UTF-16BE"
        _refuse(
            "Y001",
            "the file looks like UTF-16, a spec is UTF-8",
            name,
            _SAVE_AS.format(encoding=encoding),
        )
    raise Rejected(
        (
            Finding(
                "Y002",
                "the file holds zero bytes: it is not a text file",
                _place(name, data, zero),
                "check the file's name; a spec is UTF-8 text",
            ),
        )
    )


def _refuse_byte(name: str, data: bytes, position: int) -> NoReturn:
    byte = data[position]
    raise Rejected(
        (
            Finding(
                "Y001",
                f"the byte 0x{byte:02X} here is not UTF-8",
                _place(name, data, position),
                f"the file may be Windows-1252 or Latin-1, where this byte is "
                f"{bytes([byte]).decode('cp1252', 'replace')!r}; "
                + _SAVE_AS.format(encoding="WINDOWS-1252"),
            ),
        )
    )


def _place(name: str, data: bytes, position: int) -> Place:
    before = data[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", "replace")) + 1
    return Place(name, before.count(b"\n") + 1, column, column + 1)
