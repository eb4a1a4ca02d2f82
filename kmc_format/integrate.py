"""Desktops show thumbnails of KMC files, and `file` knows them: ``kmc integrate enable``, on request only.

It is for one user, and for desktops that go by freedesktop.org, as on Linux and the BSDs. It puts a file
for the type and one for thumbnails into the folder that ``XDG_DATA_HOME`` names, ``~/.local/share`` by
default, and a few lines into ``~/.magic``, which `file` reads.

>>> from kmc_format import integrate
>>> print(integrate.status())  # doctest: +SKIP
the type image/x-kmc is not in place: /home/me/.local/share/mime/packages/kmc-format.xml
thumbnails are not in place: /home/me/.local/share/thumbnailers/kmc.thumbnailer
the type for the command file is not in place: /home/me/.magic
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ._actions import run_action
from ._files import write_whole

__all__ = ["disable", "enable", "main", "status"]

_HERE = Path(__file__).parent
_DATA = _HERE / "_integrate"
# What is in each of our files, so that those of others are told from them.
_MARK = b"kmc integrate"
# Our lines among those of others.
_BEGINNING = b'# kmc_format begins: "kmc integrate disable" takes this away, to the line where it ends.\n'
_END = b"# kmc_format ends.\n"
_BLOCK = re.compile(re.escape(_BEGINNING) + b"(?s:.*?)" + re.escape(_END))
# What `update-mime-database` makes of the descriptions of types.
_MADE = (
    *("XMLnamespaces", "aliases", "generic-icons", "globs", "globs2", "icons", "magic", "mime.cache"),
    *("subclasses", "treemagic", "types", "version"),
)
# All that GNOME lets thumbnailers see of the file system, but for the picture.
_SEEN_BY_GNOME = Path("/usr")


class _Part(NamedTuple):
    """A file that is put in place."""

    what: str
    are: str
    path: Path
    data: bytes
    shared: bool = False  # whether others may have lines in it, too

    def found(self) -> bytes | None:
        """Return what is there of ours, if anything is; raise where it is not for us to change."""
        content = self.content()
        if self.shared:
            block = _BLOCK.search(content)
            if block is None and _BEGINNING in content:
                raise FileExistsError(
                    errno.EEXIST, "The lines of kmc_format have no end any more", str(self.path)
                )
            return block and block[0]
        if content and _MARK not in content:
            raise FileExistsError(
                errno.EEXIST, "There is a file that 'kmc integrate' did not make", str(self.path)
            )
        return content or None

    def content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    def put(self) -> None:
        """Put the file, or our lines at the beginning of it, in place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        others = _BLOCK.sub(b"", self.content(), count=1) if self.shared else b""
        write_whole(self.path, self.data + others)

    def take(self) -> None:
        """Take away what `put` put there, and the folder if nothing else is in it."""
        others = _BLOCK.sub(b"", self.content(), count=1) if self.shared else b""
        if others or (self.shared and self.path.is_symlink()):  # which is theirs
            write_whole(self.path, others)
            return
        self.path.unlink()
        if not self.shared:
            _remove_empty(self.path.parent)


def enable() -> str:
    """Make desktops and `file` know KMC, for this user; harmless when done again.

    Returns
    -------
    str
        What was done, and where, and what is missing for it to work; some lines.

    Raises
    ------
    OSError
        If this is not such a system, a folder cannot be written, or there is a file of the name that
        others made; then nothing was changed, unless a folder cannot be written.
    """
    parts = _parts()
    for part in parts:
        part.found()
    for part in parts:
        part.put()
    told = [f"{part.what} {part.are} in place: {part.path}" for part in parts]
    return "\n".join([*told, *_update(parts[0].path.parent.parent), *_notes()])


def disable() -> str:
    """Take back what `enable` did, and nothing that others did; harmless when done again."""
    found = [part for part in _parts() if part.found() is not None]
    for part in found:
        part.take()
    mime = _data_home() / "mime"
    failed = _update(mime) if any(part.path.is_relative_to(mime) for part in found) else []
    told = [f"{part.what} {part.are} taken away: {part.path}" for part in found]
    return "\n".join([*told, *failed]) or "nothing was in place"


def status() -> str:
    """Return a line for each of type, thumbnails and `file`: whether it is in place, and where."""
    lines = []
    for part in _parts():
        found = part.found()
        how = "not in place" if found is None else "in place" if found == part.data else "of another version"
        lines.append(f"{part.what} {part.are} {how}: {part.path}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``kmc integrate`` or ``python -m kmc_format.integrate``; return the exit status."""
    actions = {"enable": enable, "disable": disable, "status": status}
    return run_action("integrate", __doc__, actions, arguments)


# --- What is put where ----------------------------------------------------------------------------


def _parts() -> list[_Part]:
    """Return what is to be in place; raise on systems that do not go by it."""
    if sys.platform in ("win32", "darwin"):
        raise OSError(
            "Windows and macOS learn of types and thumbnails from installed applications, and KMC has none;"
            f" nothing was done. Where there is the command file, this works: file -m '{_DATA / 'magic'}'",
        )
    data, home = _data_home(), Path.home()
    lines = _BEGINNING + (_DATA / "magic").read_bytes() + _END
    return [
        _Part(
            *("the type image/x-kmc", "is", data / "mime" / "packages" / "kmc-format.xml"),
            (_DATA / "kmc-format.xml").read_bytes(),
        ),
        _Part("thumbnails", "are", data / "thumbnailers" / "kmc.thumbnailer", _thumbnailer()),
        _Part("the type for the command file", "is", home / ".magic", lines, shared=True),
    ]


def _data_home() -> Path:
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "share"


def _thumbnailer() -> bytes:
    """Return the description of the thumbnailer, with the command that starts this Python.

    It is started in the folder of the picture, where nothing must be imported from; ``-P`` sees to that.
    """
    template = (_DATA / "kmc.thumbnailer").read_text("utf-8")
    command = f"{shlex.quote(sys.executable).replace('%', '%%')} -P -m kmc_format"
    for name, value in (("@PYTHON@", sys.executable), ("@COMMAND@", command)):
        template = template.replace(name, value.replace("\\", "\\\\").replace("\n", "\\n"))
    return os.fsencode(template)


def _update(mime: Path) -> list[str]:
    """Have the table of types made anew; return what is wrong, if anything is."""
    packages, told = mime / "packages", []
    tool = shutil.which("update-mime-database")
    if tool is None:
        told = [f"it takes effect when 'update-mime-database {mime}' was run, which is not installed here"]
    else:
        packages.mkdir(exist_ok=True)  # without which it does nothing
        done = subprocess.run([tool, str(mime)], capture_output=True, text=True, errors="replace")
        if done.returncode:
            told = [f"update-mime-database failed: {' '.join(done.stderr.split())}"]
    if not any(packages.glob("*")):
        for name in _MADE:
            (mime / name).unlink(missing_ok=True)
    for folder in (mime / "image", packages, mime):
        _remove_empty(folder)
    return told


def _notes() -> list[str]:
    """Return what those should know who wonder why something does not work."""
    notes = []
    if importlib.util.find_spec("click") is None:
        notes.append("thumbnails need the command line as well: pip install 'kmc-format[cli]'")
    if (Path.home() / ".magic.mgc").exists():
        notes.append(
            "the command file reads ~/.magic.mgc instead of ~/.magic: 'file -C -m ~/.magic' renews it"
        )
    needed = map(Path, (sys.prefix, sys.base_prefix, str(_HERE)))
    if not all(path.is_relative_to(_SEEN_BY_GNOME) for path in needed):
        notes.append(
            f"GNOME's file manager lets thumbnailers see nothing but {_SEEN_BY_GNOME}, and so makes none by"
            f" Python in {sys.prefix}; others, as Xfce's, do"
        )
    return notes


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # where it holds other files
        folder.rmdir()


if __name__ == "__main__":
    sys.exit(main())
