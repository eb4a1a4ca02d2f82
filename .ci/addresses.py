"""Give the metadata of a release the addresses of the repository that publishes it.

    python .ci/addresses.py https://github.com/OWNER/NAME v0.2.0 [FOLDER]

It writes project URLs into pyproject.toml, and makes the links of the README absolute, as an index of
packages shows it on pages of its own. The workflow that builds what is published runs it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def absolute(readme: str, repository: str, tag: str) -> str:
    """Return the README with its relative links leading to the repository."""
    pictures = rf"\g<1>{repository}/raw/{tag}/\g<2>"
    pages = rf"\g<1>{repository}/blob/{tag}/\g<2>"
    readme = re.sub(r"(!\[[^]]*\]\()(?!\w+://|#)([^)]+)", pictures, readme)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!\w+://|#)([^)]+)", pages, readme)


def urls(repository: str, tag: str) -> str:
    """Return the table of project URLs."""
    pages = {
        "Source": repository,
        "Documentation": f"{repository}/blob/{tag}/kmc_format/GUIDE.md",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    lines = [f'{name} = "{address}"' for name, address in pages.items()]
    return "\n".join(["", "[project.urls]", *lines, ""])


def main(repository: str, tag: str, folder: str = ".") -> None:
    readme, metadata = Path(folder, "README.md"), Path(folder, "pyproject.toml")
    readme.write_text(absolute(readme.read_text("utf-8"), repository, tag), "utf-8")
    metadata.write_text(metadata.read_text("utf-8") + urls(repository, tag), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
