"""The command `kmc`, also ``python -m kmc_format``; without its extra, it says how to install that."""

from __future__ import annotations

import sys


def main() -> int:
    """Run ``kmc``; return the exit status: 0, 1 after an error, 2 for wrong arguments, 130 if interrupted."""
    try:
        from . import cli
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print("kmc: the command line needs click: pip install 'kmc-format[cli]'", file=sys.stderr)
        return 1
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
