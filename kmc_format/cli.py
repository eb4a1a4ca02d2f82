"""The command `kmc`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import autoload


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``kmc``; return the exit status: 0, 1 after an error, 2 for wrong arguments."""
    parser = argparse.ArgumentParser("kmc", description="KMC images: a K-Means codebook and labels.")
    commands = parser.add_subparsers(required=True, metavar="command")
    summary = "let programs that do not import kmc_format read and write KMC"
    command = commands.add_parser("autoload", help=summary, description=f"{summary.capitalize()}.")
    autoload.add_arguments(command)
    command.set_defaults(run=autoload.run)
    parsed = parser.parse_args(arguments)
    status: int = parsed.run(parsed)
    return status


if __name__ == "__main__":
    sys.exit(main())
