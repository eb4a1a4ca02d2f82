"""Write sample_images/view.html again, with the KMC files that it holds, after the page or kmc.js changed.

    python -I tests/sample_page.py

A test compares it. Which files it holds, and how these were made, is in sample_images/README.md.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from kmc_format._cli import page

PATH = Path(__file__).resolve().parents[1] / "sample_images" / "view.html"


def files_of(data: bytes) -> list[page.Shown]:
    """Return the files that a page holds."""
    found = re.search(rb'<script type="application/json" id="files">(.*?)</script>', data)
    assert found
    return [page.Shown(one["name"], base64.b64decode(one["data"])) for one in json.loads(found[1])]


if __name__ == "__main__":
    PATH.write_bytes(page.page_of(files_of(PATH.read_bytes())))
