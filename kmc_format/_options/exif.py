"""EXIF as bytes, with an error that names the tag where that cannot be."""

from __future__ import annotations

from typing import Any

from PIL import ExifTags, Image


def exif_bytes(exif: Image.Exif) -> bytes:
    """Return EXIF as Pillow writes it.

    Raises
    ------
    ValueError
        If it cannot, as a value does not fit its tag.
    """
    try:
        return exif.tobytes()
    except Exception as error:  # Pillow checks nothing, so it may be any
        tags = ", ".join(_tag_name(tag) for tag in exif if not _is_writable(tag, exif[tag]))
        raise ValueError(
            f"exif cannot be written by Pillow, for {tags or 'one of its tags'}: {error}"
        ) from error


def _is_writable(tag: int, value: Any) -> bool:
    alone = Image.Exif()
    alone[tag] = value
    try:
        alone.tobytes()
    except Exception:
        return False
    return True


def _tag_name(tag: int) -> str:
    return f"tag {tag} ({ExifTags.TAGS[tag]})" if tag in ExifTags.TAGS else f"tag {tag}"
