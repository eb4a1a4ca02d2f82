"""The tests are for the package as installed, with its compiled core."""

from kmc_format import _labels, _mapping

if any(module.__file__.endswith(".py") for module in (_labels, _mapping)):
    raise RuntimeError("the core is not compiled: install the package, and run `python -Im pytest`")
