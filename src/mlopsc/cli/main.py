"""The `mlopsc` command: loads only the command that is asked for, and turns outcomes into exit codes."""

from __future__ import annotations

import errno
from importlib import import_module
from typing import Final

import click

from mlopsc import __version__

CLEAN: Final = 0
FINDINGS: Final = 1  # or files that are not what the spec compiles to
WRONG_USAGE: Final = 2
BUG: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells expect

COMMANDS: Final = {
    "init": "make a first spec",
    "compile": "write the files a spec describes",
    "check": "say what is wrong, and whether the files are up to date",
    "fmt": "bring a spec into the one form",
    "show": "print the merged spec, and where each value comes from",
    "why": "say which spec line decides a generated line",
    "adopt": "keep a hand edit of a generated file, as a patch in the spec",
    "promote": "write into the spec which version runs",
    "upgrade": "bring a spec into this version of the language",
    "explain": "explain a code or a key",
    "schema": "print the JSON Schema of the language",
    "targets": "list the systems it compiles to",
    "template": "print a template, to put one of your own in its place",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is used: start-up time is a promise."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from the module of its name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"mlopsc.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with the nearest command for a misspelt one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(
                f"no such command '{args[0]}'" + (f"; did you mean '{near[0]}'?" if near else "")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and one line each, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mlopsc")
def mlopsc() -> None:
    """One mlops.yaml, compiled into the files that run a machine-learning system.

    \b
    Example: mlopsc compile && git add -A && git commit
    """  # noqa: D301 (click ends paragraphs at a real backspace)


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    try:
        code = mlopsc.main(arguments, prog_name="mlopsc", standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        return WRONG_USAGE
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except SystemExit:
        # Click's answer to a reader that has gone, as `head` does; no finding of ours.
        return CLEAN
    except Exception as error:
        return _failed(error)
    return code if isinstance(code, int) else CLEAN


_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _failed(error: Exception) -> int:
    """What nobody foresaw is a bug of ours: say so, with all that is needed to mend it."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
        # Only a stream fails without a name: what was to be said has nowhere to go.
        click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
        return FINDINGS
    import traceback

    from mlopsc.extending.failure import PackageFailed

    traceback.print_exception(error)
    if isinstance(error, PackageFailed):
        click.echo(
            f"\nThis is a failure of the package {error.package} {error.version}, not of mlopsc and not a"
            " mistake of yours; nothing was half written. Please report it there.",
            err=True,
        )
        return BUG
    click.echo(
        f"\nThis is a bug of mlopsc {__version__}, not a mistake of yours; nothing was half written."
        " Please report it with the text above and the spec.",
        err=True,
    )
    return BUG
