"""One change to a spec that keeps every other byte: the version that runs, for `mlopsc promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlopsc.diagnostics.finding import Finding, Rejected
from mlopsc.workspace import edit_text
from mlopsc.workspace.edit_text import BOM, after, apart, end_of, means, newline

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPLIED: Final = "production"  # the environment of a spec that names none
MEANINGFUL: Final = frozenset({"null", "true", "false"})  # plain words that are no strings


def set_version(text: str, environment: str, model: str, version: str) -> str:
    """The spec `text` with `environments.ENVIRONMENT.versions.MODEL` set to `version`, quoted.

    Raises:
        Rejected: W050: the spec has no such environment, is no YAML, shares the place with others
            through an anchor, or the version is not one printable line.
    """
    path = ("environments", environment, "versions", model)
    if not version or not version.isprintable():
        raise _rejected(
            path,
            f"{version!r} cannot be a version",
            'a version is one line of printable characters, such as "17"',
        )
    body = text.removeprefix(BOM)
    spec = _read(body, path)
    _check_environment(spec, environment, path)
    wanted = _with(spec, path, version)
    if spec == wanted:
        return text
    for candidate in _candidates(body, path, _quoted(version)):
        if means(candidate, wanted):
            return text[: len(text) - len(body)] + candidate
    raise _rejected(
        path,
        f"the version of '{model}' cannot be set: its place in the spec is shared or generated"
        " (an anchor, alias or '<<')",
        f"write it by hand, under environments.{environment}.versions: {model}: {_quoted(version)}",
    )


def _check_environment(spec: Any, environment: str, path: tuple[str, ...]) -> None:
    chapter = spec.get("environments") if isinstance(spec, dict) else None
    if chapter is None and isinstance(spec, dict) and environment == IMPLIED:
        return
    if isinstance(chapter, dict) and environment in chapter:
        return
    names = [str(name) for name in chapter] if isinstance(chapter, dict) else [IMPLIED]
    raise _rejected(
        path[:1],
        f"the spec has no environment '{environment}'",
        f"one of: {', '.join(names)}",
    )


# --- meaning ---------------------------------------------------------------------------------


def _read(text: str, path: tuple[str, ...]) -> Any:
    try:
        return edit_text.read(text)
    except edit_text.UnreadableError as error:
        raise _rejected(
            path, f"the spec cannot be read: {error}", "mlopsc check says where it is wrong"
        ) from error


def _with(spec: dict[str, Any], path: tuple[str, ...], value: str) -> dict[str, Any]:
    # Values shared through an anchor must come apart, or the copy would share the change as well.
    result: dict[str, Any] = apart(spec)
    node = result
    for key in path[:-1]:
        below = node.get(key)
        node[key] = below if isinstance(below, dict) else {}
        node = node[key]
    node[path[-1]] = value
    return dict(result)


# --- text ------------------------------------------------------------------------------------


def _candidates(text: str, path: tuple[str, ...], scalar: str) -> Iterator[str]:
    """Texts that may be what is wanted, the one that reads best first."""
    from ruamel.yaml.nodes import MappingNode

    key, node, rest, step = None, edit_text.compose(text), path, 2
    while rest and isinstance(node, MappingNode):
        pair = next((p for p in node.value if p[0].value == rest[0]), None)
        if pair is None:
            break
        if key is not None and not node.flow_style:
            step = max(pair[0].start_mark.column - key.start_mark.column, 1)
        key, node, rest = pair[0], pair[1], rest[1:]
    if key is not None and _is_alias(key, node):
        if not rest:
            yield _replace_alias(text, key.end_mark.index, scalar)
    elif not isinstance(node, MappingNode):
        yield from _replace_scalar(text, key, node, _flow(rest, scalar))
    elif node.flow_style:
        yield from _into_flow(text, node, _flow_entry(rest, scalar))
    else:
        column = node.value[0][0].start_mark.column
        lines = _block_entry(rest, scalar, step)
        yield after(text, end_of(node), [" " * column + line for line in lines])


def _is_alias(key: Any, node: Any) -> bool:
    """Whether `node` is written elsewhere: an anchor stands before every alias to it."""
    return bool(node.start_mark.index < key.end_mark.index)


def _replace_alias(text: str, after: int, scalar: str) -> str:
    start = text.index("*", after)
    end = start
    while end < len(text) and text[end] not in " \t\r\n,]}":
        end += 1
    return text[:start] + scalar + text[end:]


def _replace_scalar(text: str, key: Any, node: Any, value: str) -> Iterator[str]:
    start, end = node.start_mark.index, node.end_mark.index
    if start == end and key is not None:  # nothing is written: its mark stands at what comes next
        colon = text.index(":", key.end_mark.index) + 1
        yield f"{text[:colon]} {value}{text[colon:]}"
    else:
        yield text[:start] + value + text[end:]
        # A block scalar ends behind its line.
        yield text[:start] + value + newline(text) + text[end:]


def _into_flow(text: str, node: Any, entry: str) -> Iterator[str]:
    close = node.end_mark.index - 1
    if not node.value:
        start = text.rindex("{", 0, close) + 1
        yield text[:start] + entry + text[close:]
        return
    last_key, last = node.value[-1]
    if not _is_alias(last_key, last):
        end = last.end_mark.index
        yield f"{text[:end]}, {entry}{text[end:]}"
    yield f"{text[:close].rstrip()}, {entry}{text[close:]}"


def _flow(path: tuple[str, ...], scalar: str) -> str:
    return f"{{{_flow_entry(path, scalar)}}}" if path else scalar


def _flow_entry(path: tuple[str, ...], scalar: str) -> str:
    return f"{_key(path[0])}: {_flow(path[1:], scalar)}"


def _block_entry(path: tuple[str, ...], scalar: str, step: int) -> list[str]:
    *above, last = map(_key, path)
    lines = [" " * (step * depth) + f"{key}:" for depth, key in enumerate(above)]
    return [*lines, " " * (step * len(above)) + f"{last}: {scalar}"]


def _key(name: str) -> str:
    return _quoted(name) if name in MEANINGFUL else name


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _rejected(path: tuple[str, ...], message: str, help_: str) -> Rejected:
    return Rejected((Finding("W050", message, path, help_),))
