"""The tests are for the package as installed, with its core compiled. Some are of the tier `apps`."""

from pathlib import Path

import pytest

import kmc_format._core  # noqa: F401  # which says what to do where it is not compiled

APPS = {
    *("test_browser.py", "test_cluster.py", "test_element.py", "test_explorer.py", "test_notebook.py"),
    *("test_rasters.py", "test_view_page.py", "test_web_page.py"),
}
IN_DOCTESTS = ("dask", "open_array(", "explore(")  # that need more than the default tier has installed


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave alone files that import what other tiers have not installed, where one of these is asked for."""
    others = "not apps" in config.option.markexpr or config.option.markexpr == "slow"
    return True if collection_path.name in APPS and others else None


@pytest.hookimpl(tryfirst=True)  # before items are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in APPS or (isinstance(item, pytest.DoctestItem) and _needs_apps(item)):
            item.add_marker("apps")


def _needs_apps(item: pytest.DoctestItem) -> bool:
    return any(word in example.source for example in item.dtest.examples for word in IN_DOCTESTS)
