"""The loop of a worker: one process imports a heavy tool once and reads many projects with it.

A request is one line of JSON on standard input, ``{"root": …, "paths": […], …}``; the answer is
one line on standard output, ``{"refusals": [[path, message], …]}``, or ``{"error": traceback}``
when the reader itself is broken. Whatever the tool prints goes to standard error.

This module runs inside each tool's own environment and imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Refusals = list[tuple[str, str]]
Read = Callable[..., Refusals]


def serve(read: Read, *, isolated: bool = False) -> None:
    """Answer requests with ``read(root, paths, **options)`` until standard input ends.

    With *isolated* each request runs in a fork of this process: the imports are there already, and
    modules, environment variables and the working folder of one project never reach the next.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer = _forked if isolated else _answer
    for line in sys.stdin:
        answers.write(answer(read, json.loads(line)) + "\n")
        answers.flush()
    os._exit(0)  # nothing is left to save, and taking a heavy tool apart takes seconds


def _answer(read: Read, request: dict[str, Any]) -> str:
    try:
        root, paths = Path(request.pop("root")), request.pop("paths")
        return json.dumps({"refusals": read(root, paths, **request)})
    except Exception:  # the test that asked shows it
        return json.dumps({"error": traceback.format_exc()})


def _forked(read: Read, request: dict[str, Any]) -> str:
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(receive)
            with os.fdopen(send, "w", encoding="utf-8") as pipe:
                pipe.write(_answer(read, request))
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return text or json.dumps({"error": f"the reader died with status {status}"})


def reason(error: BaseException) -> str:
    """Return what *error* says, with its class when it says nothing."""
    return str(error).strip() or type(error).__name__
