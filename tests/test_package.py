"""The files around the code agree with it."""

import re
import subprocess
import sys

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


def test_public_modules_are_there_without_being_imported():
    program = """
import sys
import kmc_format
names = ["autoload", "batch", "explorer", "figures", "metrics", "report"]
print([name for name in names if f"kmc_format.{name}" in sys.modules], set(names) <= set(dir(kmc_format)))
print(all(getattr(kmc_format, name).__name__ == f"kmc_format.{name}" for name in names))
print(hasattr(kmc_format, "reports"))
"""
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:3] == ["[] True", "True", "False"]
