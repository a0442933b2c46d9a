"""Templates that are not ours, rendered so that they can do nothing but write a bounded text.

Jinja's sandbox keeps them from Python's insides and from changing what they are given. What it leaves
open is how much they do; `allowance` counts that.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from mlopsc.artifacts import allowance
from mlopsc.artifacts.allowance import ASKING_FILTERS, Allowance, TooMuch, counted
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment, nodes

    from mlopsc.artifacts.draft import OwnText

TEXT_METHODS: Final = frozenset(
    {
        *("capitalize", "count", "endswith", "find", "isalnum", "isalpha", "isdigit", "islower"),
        *("isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind"),
        *("rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip"),
        *("swapcase", "title", "upper"),
    }
)
"""Methods of a text that cannot make much of little; `replace` and `join` are there as filters."""
FILTERS: Final = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby"),
        *("int", "items", "last", "length", "list", "lower", "map", "max", "min", "reject"),
        *("rejectattr", "reverse", "select", "selectattr", "sort", "string", "sum", "title"),
        *("trim", "unique", "upper", "wordcount", *ASKING_FILTERS),
    }
)
"""Those of Jinja's filters that give the same everywhere and cannot make much of little."""
_TURNS: Final = "turns of a loop"  # no words a template could write
_JOINED: Final = "joined by ~"
_A_FILE: Final = 10  # steps that a look for a template counts for
_A_CALL: Final = 3


@frozen
class Fault:
    """Where and why a template cannot be rendered; `line` from 1, in the template called `name`."""

    name: str
    line: int
    reason: str
    kind: str  # `syntax`, `limit` or `failed`


class Faulty(Exception):
    """A template that is not ours cannot be rendered."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.name}:{fault.line}: {fault.reason}")
        self.fault = fault


def rendered(name: str, templates: Mapping[str, OwnText], context: Mapping[str, Any]) -> str:
    """The text that the template `name` gives, found in `templates` or else among ours.

    Raises:
        Faulty: it is no Jinja, fails, or does too much.
    """
    token = allowance.allowance.set(Allowance())
    try:
        return _environment(_texts(templates)).get_template(name).render(context)
    except Exception as error:  # whatever a stranger's template comes up with is an answer to it
        raise Faulty(_fault(error, name, templates)) from error
    finally:
        allowance.allowance.reset(token)


def within(name: str, templates: Mapping[str, OwnText]) -> frozenset[str]:
    """Those of `templates` that the template `name` is made with, itself included.

    Raises:
        Faulty: one of them is no Jinja.
    """
    from jinja2 import TemplateError, meta

    environment = _environment(_texts(templates))
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        found.add(each)
        try:
            text = environment.loader.get_source(environment, each)[0]  # type: ignore[union-attr]
            tree = environment.parse(text, each)
        except (TemplateError, RecursionError) as error:
            if each not in templates:
                continue  # named, and not there: it fails where it is asked for
            raise Faulty(_fault(error, each, templates)) from error
        waiting += [one for one in meta.find_referenced_templates(tree) if one is not None]
    return frozenset(found & templates.keys())


def _texts(templates: Mapping[str, OwnText]) -> tuple[tuple[str, str], ...]:
    return tuple((name, template.text) for name, template in templates.items())


# --- what went wrong --------------------------------------------------------------------------------


def _fault(error: Exception, name: str, templates: Mapping[str, OwnText]) -> Fault:
    """Where in a template that is not ours `error` came up."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    place, line = name, 1
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in templates:  # Jinja lends a template's frames its name and lines
            place, line = file, trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, TooMuch):
        return Fault(place, line, str(error), "limit")
    if isinstance(error, RecursionError):
        return Fault(place, line, "calls itself too deep", "limit")
    if isinstance(error, TemplateSyntaxError):
        return Fault(error.name or place, error.lineno, _line(error.message or ""), "syntax")
    if isinstance(error, TemplateNotFound):
        return Fault(place, line, f"there is no template {_line(str(error))!r}", "failed")
    return Fault(place, line, _line(str(error)) or type(error).__name__, "failed")


def _line(text: str) -> str:
    """`text` as a message has it: one line, no full stop."""
    from mlopsc.artifacts.literals import one_line

    return one_line(text)[:300].rstrip(" .!:")


# --- the environment --------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _environment(texts: tuple[tuple[str, str], ...]) -> Environment:
    """An environment that finds `texts` before ours; its templates stay compiled for the next draft."""
    from jinja2 import ChoiceLoader, FunctionLoader, StrictUndefined

    from mlopsc.artifacts.templates import OPTIONS, OWN_FILTERS, our_text

    own = dict(texts)

    def load(name: str) -> tuple[str, str, None] | None:
        return (own[name], name, None) if name in own else None

    environment: Environment = _sandbox()(
        **OPTIONS,
        undefined=StrictUndefined,
        loader=ChoiceLoader([FunctionLoader(load), FunctionLoader(our_text)]),
        finalize=allowance.printable,
        optimized=False,  # nothing is worked out before it is counted
        cache_size=-1,
    )
    filters = {**environment.filters, **ASKING_FILTERS}
    allowed = {name: filters[name] for name in FILTERS} | OWN_FILTERS
    environment.filters.clear()
    environment.filters.update({name: counted(each) for name, each in allowed.items()})
    environment.filters.update({_TURNS: allowance.turns, _JOINED: allowance.joined})
    known = environment.globals
    kept = {name: known[name] for name in ("dict", "namespace", "joiner", "cycler")}
    known.clear()
    known.update(kept, range=allowance.numbers)
    return environment


@cache
def _sandbox() -> Any:
    """The class of the environment, made when it is used: it is of Jinja's kind."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"+", "*", "**", "%"})
        concat = staticmethod(allowance.concatenated)

        def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
            tree: nodes.Template = _counting().visit(super()._parse(source, name, filename))
            return tree

        def get_template(self, *arguments: Any, **named: Any) -> Any:
            allowance.allowance.get().take(_A_FILE)
            return super().get_template(*arguments, **named)

        def select_template(self, *arguments: Any, **named: Any) -> Any:
            allowance.allowance.get().take(_A_FILE)
            return super().select_template(*arguments, **named)

        def call(self, context: Any, function: Any, /, *arguments: Any, **named: Any) -> Any:
            left = allowance.allowance.get()
            left.take(_A_CALL + sum(map(allowance.size, arguments)) // allowance.PER_STEP)
            made = super().call(context, function, *arguments, **named)
            left.make(allowance.size(made))
            return made

        def wrap_str_format(self, value: Any) -> None:
            """Jinja lets `format` through with a guard of its own, which knows no limit."""

        def is_safe_attribute(self, owner: Any, name: str, value: Any) -> bool:
            if isinstance(owner, str):
                return name in TEXT_METHODS
            if isinstance(owner, (int, float, bytes, bytearray)) and callable(value):
                return False
            return super().is_safe_attribute(owner, name, value)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if isinstance(left, str) and operator == "%":
                raise TypeError("'%' fills no text here; join its parts with '~'")
            allowance.check_binary(operator, left, right)
            return super().call_binop(context, operator, left, right)

    return Sandbox


@cache
def _counting() -> Any:
    """Puts what no function of the environment sees, loops and `~`, through a filter that counts."""
    from jinja2 import nodes
    from jinja2.visitor import NodeTransformer

    def through(node: nodes.Expr, name: str) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)

    class Counting(NodeTransformer):
        def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (named by Jinja)
            self.generic_visit(node)
            node.iter = through(node.iter, _TURNS)  # type: ignore[arg-type]
            return node

        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
            self.generic_visit(node)
            return through(nodes.List(node.nodes, lineno=node.lineno), _JOINED)

    return Counting()
