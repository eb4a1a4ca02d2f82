"""One HTML page, which needs nothing else, that shows KMC files: what `kmc view` writes."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

# How many bytes of files one page holds: more would make browsers slow, or be refused by them.
MOST_BYTES = 100_000_000
# What may run and load: what is in the page. WebAssembly needs a word of its own, and workers a URL.
_POLICY = (
    "default-src 'none'; script-src {script} 'wasm-unsafe-eval'; style-src {style}; img-src data:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)
_GENERATOR = b'<meta name="generator" content="kmc view">'


class Shown(NamedTuple):
    """A KMC file to be shown."""

    name: str
    data: bytes


def page_of(shown: Sequence[Shown]) -> bytes:
    """Return a page that shows KMC files.

    Raises
    ------
    ValueError
        If they are too large for a page.
    """
    total = sum(len(one.data) for one in shown)
    if total > MOST_BYTES:
        raise ValueError(f"the files have {total:,} bytes, and a page holds {MOST_BYTES:,}: name fewer files")
    title = shown[0].name if len(shown) == 1 else f"{len(shown)} pictures"
    page = _filled(_text("view.html"), module=_text("kmc.js"))
    policy = _POLICY.format(
        script=_hash_of(page, '<script type="module">', "</script>"),
        style=_hash_of(page, "<style>", "</style>"),
    )
    title = html.escape(f"{title} \N{EN DASH} KMC")
    return _filled(page, policy=policy, title=title, files=_as_json(shown)).encode()


def is_page(path: Path) -> bool:
    """Tell from the beginning of a file whether it is such a page."""
    with path.open("rb") as file:
        return _GENERATOR in file.read(200)


def _text(name: str) -> str:
    return (files("kmc_format") / "web" / name).read_text("utf-8")


def _filled(page: str, **values: str) -> str:
    """Put values where the page has their names in double braces; what is in values is left as it is."""
    return re.sub(r"\{\{(" + "|".join(values) + r")\}\}", lambda found: values[found[1]], page)


def _hash_of(page: str, begin: str, end: str) -> str:
    """Return the hash of what is between two tags, as a content security policy has it."""
    inside = page.partition(begin)[2].partition(end)[0]
    digest = hashlib.sha256(inside.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _as_json(shown: Sequence[Shown]) -> str:
    """Return names and data as JSON in which HTML sees no tag."""
    text = json.dumps([{"name": one.name, "data": base64.b64encode(one.data).decode()} for one in shown])
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)
