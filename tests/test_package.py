"""The files around the code agree with it."""

import re

from support import ROOT

import kmc_format


def test_the_newest_heading_of_the_changelog_is_the_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == kmc_format.__version__


def test_ci_runs_the_readmes_test_command():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line]
    assert len(commands) == 2
    assert "README.md" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_top_level_is_as_it_should_be():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    made = {"build", "dist", "kmc_format.egg-info", "photograph.kmc"}
    assert visible - made == {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "kmc_format",
        "pyproject.toml",
        "sample_images",
        "tests",
    }
