"""The tests are for the package as installed, with its compiled core."""

import kmc_format._labels

if kmc_format._labels.__file__.endswith(".py"):
    raise RuntimeError("the core is not compiled: install the package, and run `python -Im pytest`")
