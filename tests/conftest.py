"""The tests are for the package as installed, with its compiled core."""

import kmc_format._core  # noqa: F401  # which says what to do where it is not compiled
