"""What broke YAML's syntax, told from the text and not in the parser's words.

libyaml reports where it gave up, which is often a line after the mistake, in words of its grammar
("did not find expected key"). Each function here looks at the text around that spot and says what a
person would: no colon, a quote left open, an odd indentation. The pure parser's messages, used
where PyYAML has no libyaml, share the fragments matched below or get the general answer.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlopsc.diagnostics.finding import Finding, Note, Place
from mlopsc.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml.error import MarkedYAMLError

_QUOTE_IT: Final = "put the whole value in quotes"
_LONGEST_KEY: Final = 1024
_LONGEST_QUOTE: Final = 40


def explain(error: MarkedYAMLError, name: str, lines: list[str]) -> Finding:
    """The finding for a break of syntax in the file `name`, which consists of `lines`."""
    broken = _Broken.of(error, name, lines)
    told = f"{error.context or ''}: {error.problem or ''}"
    for fragment, answer in _ANSWERS:
        if fragment in told:
            return answer(broken)
    return _other(broken)


@frozen
class _Broken:
    """Where the parser gave up (`line`, `column`) and what it was reading (`start`); all from 0."""

    name: str
    lines: list[str]
    line: int
    column: int
    start: tuple[int, int]

    @classmethod
    def of(cls, error: MarkedYAMLError, name: str, lines: list[str]) -> _Broken:
        mark = error.problem_mark or error.context_mark
        start = error.context_mark or mark
        if mark is None or start is None:  # no known error comes so; the top beats a crash
            return cls(name, lines, 0, 0, (0, 0))
        line = min(mark.line, len(lines) - 1)
        column = mark.column if line == mark.line else len(lines[line])
        return cls(name, lines, line, column, (start.line, start.column))

    @property
    def text(self) -> str:
        """The line the parser gave up on."""
        return self.lines[self.line]

    @property
    def before(self) -> str:
        return self.text[: self.column]

    @property
    def character(self) -> str:
        """The one the parser gave up on; empty at a line's end."""
        return self.text[self.column : self.column + 1]

    def here(self) -> Place:
        return self.place(self.line, self.column, 1)

    def opened(self) -> Place:
        """The first character of what was being read."""
        return self.place(*self.start, 1)

    def place(self, line: int, column: int, width: int) -> Place:
        return Place(self.name, line + 1, column + 1, column + 1 + max(width, 1))

    def whole(self, line: int) -> Place:
        """What stands on `line`, without indentation and comment."""
        text = self.lines[line]
        bare = _bare(text)
        indent = _indent(text)
        return self.place(line, indent, len(bare) - indent)

    def finding(self, code: str, message: str, at: Place, advice: str, *notes: Note) -> Finding:
        return Finding(code, message, at, advice, notes)

    def at_end(self) -> bool:
        """Whether nothing but white space follows."""
        rest = (self.text[self.column :], *self.lines[self.line + 1 :])
        return not any(text.strip() for text in rest)

    def still_open(self) -> Note:
        if self.at_end():
            return Note("it is still open at the end of the file")
        return Note("it is still open", self.here())

    def line_above(self) -> int | None:
        """The nearest line above that is neither blank nor a comment."""
        for number in range(self.line - 1, -1, -1):
            if _bare(self.lines[number]).strip():
                return number
        return None


def _bare(text: str) -> str:
    """`text` without a comment and white space at its end."""
    if text.lstrip().startswith("#"):
        return ""
    comment = text.find(" #")
    return (text if comment < 0 else text[:comment]).rstrip()


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" \t"))


def _bad_start(broken: _Broken) -> Finding:
    character = broken.character
    if character == "\t":
        return _tab(broken)
    word = _bare(broken.text[broken.column :])
    return broken.finding(
        "Y016",
        f"text that starts with {character} needs quotes",
        broken.here(),
        f'YAML keeps {character} for itself: write "{_shortened(word)}"',
    )


def _tab(broken: _Broken) -> Finding:
    column = broken.text.find("\t")
    if column < 0 or broken.text[:column].strip():
        column = broken.column
    width = len(broken.text[column:]) - len(broken.text[column:].lstrip("\t"))
    return broken.finding(
        "Y010",
        "a tab indents this line, YAML indents with spaces",
        broken.place(broken.line, column, width),
        "replace each tab by two spaces; most editors can do it for the whole file",
    )


def _second_colon(broken: _Broken) -> Finding:
    """`a: b: c`, a key below a key that has a value, or a line above without its colon."""
    before = broken.before
    first = _COLON.search(before)
    if first is not None:
        value = _bare(broken.text[first.end() :])
        return broken.finding(
            "Y013",
            "this line has a second ': ', which only text in quotes may hold",
            broken.place(broken.line, broken.column, 1),
            f'write "{_shortened(value)}" in quotes, or put the inner key on a line of its own',
        )
    if broken.column - _indent(broken.text) > _LONGEST_KEY:
        return _long_key(broken)
    above = broken.line_above()
    if above is None:
        return _other(broken)
    upper = _bare(broken.lines[above])
    tight = _TIGHT_COLON.match(upper)
    if tight is not None:
        return broken.finding(
            "Y012",
            "a space is missing after the colon",
            broken.place(above, tight.end(1), 1),
            f"write `{tight.group(1)}: {_shortened(tight.group(2))}`",
        )
    if not _COLON.search(upper + " "):
        return _no_colon_on(broken, above)
    return broken.finding(
        "Y011",
        "this line is indented under a key that has a value already",
        broken.whole(broken.line),
        f"line {above + 1} ends with a value: take the value away, or indent this line as that one",
        Note("the key with a value stands", broken.whole(above)),
    )


def _no_colon(broken: _Broken) -> Finding:
    line, column = broken.start
    if column + _LONGEST_KEY < len(broken.lines[line]) and ":" in broken.lines[line]:
        return _long_key(broken)
    return _no_colon_on(broken, line)


def _long_key(broken: _Broken) -> Finding:
    line = broken.start[0]
    return broken.finding(
        "Y019",
        f"a key is at most {_LONGEST_KEY:,} characters long",
        broken.place(line, _indent(broken.lines[line]), 1),
        "if this is text, quote the whole of it",
    )


def _no_colon_on(broken: _Broken, line: int) -> Finding:
    key, _, value = _bare(broken.lines[line]).strip().partition(" ")
    pair = f"{_shortened(key)}: {_shortened(value.strip()) or 'VALUE'}"
    return broken.finding(
        "Y012",
        "this line is no `key: value`: the colon is missing",
        broken.whole(line),
        f"write `{pair}`; text of several lines stands under `key: |`, indented",
    )


def _broken_mapping(broken: _Broken) -> Finding:
    before = broken.before
    if before.strip():
        return _after_value(broken)
    if broken.character == ":":
        return _no_key(broken)
    if broken.text.startswith("- ", broken.column) or broken.text[broken.column :] == "-":
        return broken.finding(
            "Y011",
            "a list item stands where a key belongs",
            broken.whole(broken.line),
            "a list stands under a key of its own: `key:`, then the items on the lines below",
            Note("the mapping starts", broken.opened()),
        )
    return _bad_indentation(broken)


def _no_key(broken: _Broken) -> Finding:
    return broken.finding(
        "Y021", "the key before this colon is missing", broken.here(), "write a name there"
    )


def _bad_indentation(broken: _Broken) -> Finding:
    line, column = broken.start
    return broken.finding(
        "Y011",
        "this line's indentation fits no line above it",
        broken.whole(broken.line),
        _ways_to_indent(broken, line, column),
    )


def _ways_to_indent(broken: _Broken, line: int, column: int) -> str:
    """Which indentation puts the line beside the mapping or list around it, or the line above."""
    outer = f"{_spaces(column)} puts it beside line {line + 1}"
    above = broken.line_above()
    inner = 0 if above is None else _indent(broken.lines[above])
    if above is None or inner <= column:
        return outer
    return f"{outer}, {_spaces(inner)} beside line {above + 1}"


def _spaces(count: int) -> str:
    if count == 0:
        return "no indentation"
    return f"an indentation of {count} space{'' if count == 1 else 's'}"


def _after_value(broken: _Broken) -> Finding:
    """Something follows a value that was complete: `"a" b`, `[a] b`, `{a} b`, `*a b`."""
    last = broken.before.rstrip()[-1]
    what = (
        "the closing quote"
        if last in "'\""
        else f"the closing {last}"
        if last in "]}"
        else "the value"
    )
    advice = (
        "quote the whole value; inside \"…\" a quote is \\\", inside '…' it is ''"
        if last in "'\""
        else f"{_QUOTE_IT} if it is text"
    )
    return broken.finding(
        "Y018",
        f"something follows after {what}",
        broken.place(broken.line, broken.column, len(_bare(broken.text)) - broken.column),
        advice,
    )


def _broken_list(broken: _Broken) -> Finding:
    if broken.before.strip():
        return _after_value(broken)
    if broken.column == broken.start[1]:
        return broken.finding(
            "Y011",
            "a list item, with `- ` in front, belongs here",
            broken.whole(broken.line),
            "items stand below one another with `- ` in front; a list has no keys beside its items",
            Note("the list starts", broken.opened()),
        )
    return _bad_indentation(broken)


def _open_bracket(broken: _Broken) -> Finding:
    line, column = broken.start
    bracket = broken.lines[line][column : column + 1] or "["
    closing = {"[": "]", "{": "}"}.get(bracket, "]")
    if broken.line == line and broken.character:
        return _in_brackets(broken, bracket, closing)
    return broken.finding(
        "Y015",
        f"the {bracket} that opens here is not closed",
        broken.opened(),
        f"put a {closing} where it ends; the items between are separated by commas",
        broken.still_open(),
    )


_TO_ITS_END: Final = re.compile(r"(?:\$\{[^{}]*\}?|[^\s,\[\]{}\"'])+")
_FILLED_IN: Final = re.compile(r"[^\s,\[\]{}\"']*\$\Z")


def _in_brackets(broken: _Broken, bracket: str, closing: str) -> Finding:
    if broken.character in "]}":
        return broken.finding(
            "Y015",
            f"the {bracket} is closed with {broken.character}",
            broken.here(),
            f"close it with {closing}",
            Note("it opens", broken.opened()),
        )
    if broken.character == ":":
        return broken.finding(
            "Y013",
            "a second colon in one item",
            broken.here(),
            "quote the text that holds the colon",
        )
    if broken.character == "{" and broken.before.endswith("$"):
        found = _FILLED_IN.search(broken.before)
        start = found.start() if found else broken.column - 1
        word = _TO_ITS_END.match(broken.text, start)
        return broken.finding(
            "Y015",
            "text with `${` needs quotes between brackets",
            broken.place(broken.line, start, len(word[0]) if word else 1),
            f'write "{word[0]}"' if word else _QUOTE_IT,
        )
    return broken.finding(
        "Y015",
        "a comma is missing here",
        broken.here(),
        f"commas separate the items between {bracket} and {closing}; text with quotes needs quotes",
        Note(f"the {bracket} opens", broken.opened()),
    )


def _nothing(broken: _Broken) -> Finding:
    character = broken.character
    if character in ("]", "}"):
        message, advice = f"this {character} closes nothing", f"remove it, or {_QUOTE_IT}"
    elif character == ",":
        message, advice = (
            "there is nothing before this comma",
            f"remove it; if text is meant, {_QUOTE_IT}",
        )
    elif character == ":":
        return _no_key(broken)
    elif broken.at_end():
        message = "the file ends where a value belongs"
        advice = "close the brackets that are still open, or write the value"
    else:
        message, advice = "a value is missing here", "write a value, or null"
    return broken.finding("Y015", message, broken.here(), advice)


def _open_quote(broken: _Broken) -> Finding:
    quote = broken.lines[broken.start[0]][broken.start[1] : broken.start[1] + 1]
    inside = 'written as \\"' if quote == '"' else "doubled: ''"
    return broken.finding(
        "Y014",
        f"the quote {quote} that opens here is not closed",
        broken.opened(),
        f"close it; inside the text the same quote is {inside}",
    )


def _escape(broken: _Broken) -> Finding:
    backslash = broken.before.rfind("\\") if broken.character != "\\" else broken.column
    column = backslash if backslash >= 0 else broken.column
    text = broken.text[column : column + 2]
    at = broken.place(broken.line, column, 2)
    literal = "a backslash itself is \\\\ inside double quotes; in '…' it stands for itself"
    if text[1:] in _ESCAPE_DIGITS:
        digits = _ESCAPE_DIGITS[text[1]]
        message = f"this {text} names no character"
        return broken.finding(
            "Y017", message, at, f"{digits} hexadecimal digits follow it; {literal}"
        )
    return broken.finding("Y017", f"{text} is no escape of text in double quotes", at, literal)


def _list_in_line(broken: _Broken) -> Finding:
    return broken.finding(
        "Y011",
        "a list item cannot begin on this line",
        broken.here(),
        "start the list on the next line, or write [a, b]; text that starts with `- ` needs quotes",
    )


def _question_mark(broken: _Broken) -> Finding:
    return broken.finding(
        "Y016", "text that starts with `? ` needs quotes", broken.here(), _QUOTE_IT
    )


def _star(broken: _Broken) -> Finding:
    line, column = broken.start
    if broken.lines[line][:column].rstrip().endswith(("]", "}", '"', "'")):
        return _after_value(replace(broken, line=line, column=column))
    word = _bare(broken.lines[line][column:])
    return broken.finding(
        "Y016",
        f"text that starts with {word[:1]} needs quotes",
        broken.place(line, column, len(word)),
        f'write "{_shortened(word)}"; without quotes &NAME names a value and *NAME repeats it',
    )


def _block_header(broken: _Broken) -> Finding:
    line, column = broken.start
    return broken.finding(
        "Y019",
        "the text of a block starts on the line after | or >",
        broken.place(broken.line, broken.column, len(_bare(broken.text)) - broken.column),
        "move it to the next line, indented; text that starts with | or > needs quotes",
        Note("the block starts", broken.place(line, column, 1)),
    )


def _directive(broken: _Broken) -> Finding:
    return broken.finding(
        "Y016",
        "a line that starts with % is a directive of YAML, not of a spec",
        broken.place(broken.line, 0, len(_bare(broken.text))),
        "remove it; a key that starts with % needs quotes",
    )


def _tag(broken: _Broken) -> Finding:
    line, column = broken.start
    word = broken.lines[line][column:].split(" ")[0]
    return broken.finding(
        "Y022",
        "tags (`!…`) are not part of the language",
        broken.place(line, column, len(word)),
        "remove it; to make a value text, quote it; text that starts with ! needs quotes",
    )


def _second_document(broken: _Broken) -> Finding:
    return broken.finding(
        "Y007",
        "something follows after the end of the document (`...`)",
        broken.whole(broken.line),
        "a spec is one document: remove the `...` above, or what follows",
    )


def _other(broken: _Broken) -> Finding:
    return broken.finding(
        "Y019",
        "the text breaks YAML's rules here",
        broken.here(),
        "look for a missing quote, bracket, colon or space on this line and the one above",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


_ESCAPE_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_COLON: Final = re.compile(r":[ \t]")
_TIGHT_COLON: Final = re.compile(r"\s*(?:- )*([\w.-]+):([^\s:/][^:]*)\Z")

_ANSWERS: Final[tuple[tuple[str, Callable[[_Broken], Finding]], ...]] = (
    ("an anchor", _star),
    ("an alias", _star),
    ("a tag", _tag),
    ("undefined tag handle", _tag),
    ("directive", _directive),
    ("incompatible YAML", _directive),
    ("where an indentation space is expected", _tab),
    ("violates indentation", _tab),
    ("a block scalar", _block_header),
    ("cannot start any token", _bad_start),
    ("mapping values are not allowed", _second_colon),
    ("could not find expected ':'", _no_colon),
    ("did not find expected key", _broken_mapping),
    ("block mapping: expected <block end>", _broken_mapping),
    ("did not find expected '-'", _broken_list),
    ("block collection: expected <block end>", _broken_list),
    ("expected ',' or", _open_bracket),
    ("node content", _nothing),
    ("unexpected end of stream", _open_quote),
    ("unexpected document", _open_quote),
    ("unknown escape", _escape),
    ("escape sequence", _escape),
    ("hexdecimal number", _escape),
    ("escape code", _escape),
    ("sequence entries are not allowed", _list_in_line),
    ("mapping keys are not allowed", _question_mark),
    ("document start", _second_document),
)
"""A fragment of the parser's words → who looks at the text. The first that fits answers."""
