"""The console scripts alocc and alocc-ensemble: train, sweep, test, score.

Nothing heavy is imported until a command runs, so that ``alocc --help`` answers at once.
"""

import sys
from collections.abc import Sequence

import gaal_alocc.cli
from alocc.options import UserError, build_parser

__all__ = ["UserError", "build_parser", "ensemble", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console script alocc, by default with the process's arguments; gives the exit status.

    0, 2 for what the user can mend (told in one line on stderr), 130 when interrupted. In the
    latter two cases no output is left, but for the runs that a sweep has finished.
    """
    return _run("alocc", argv)


def ensemble(argv: Sequence[str] | None = None) -> int:
    """Run the console script alocc-ensemble, which trains ALOCCEnsemble, see :func:`main`."""
    return _run("alocc-ensemble", argv)


def _run(program: str, argv: Sequence[str] | None) -> int:
    args = build_parser(program).parse_args(argv)

    def command() -> None:
        from alocc import commands

        getattr(commands, args.command)(args)

    return gaal_alocc.cli.run(
        program, command, error=f"{program}: error", interrupted=f"{program}: interrupted"
    )


if __name__ == "__main__":
    sys.exit(main())
