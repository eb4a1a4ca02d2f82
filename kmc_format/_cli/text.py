"""What commands tell: figures as lines of text, tables, and errors in one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .._pixels.likeness import percentage

if TYPE_CHECKING:
    from ..batch import Record


def fail(command: str, message: str, status: int = 1) -> int:
    click.echo(f"{click.style(f'{command}:', fg='red')} {message}", err=True)
    return status


def line_of(message: str) -> str:
    return " ".join(message.split())


def explain(error: Exception) -> str:
    return line_of((isinstance(error, OSError) and error.strerror) or str(error))


# --- Many files -----------------------------------------------------------------------------------


def _sizes(records: Iterable[Record]) -> tuple[int, int]:
    """Return how many bytes were read and written."""
    written = [record for record in records if not (record.error or record.skipped)]
    return sum(record.bytes_in for record in written), sum(record.bytes_out for record in written)


def saved(records: Iterable[Record]) -> str:
    before, after = _sizes(records)
    return f"{size_of(before - after)} saved" if before > after else ""


def summary(records: Sequence[Record]) -> str:
    if not records:
        return "no such files were found; --recursive looks into folders of folders, too"
    failed, skipped = sum(bool(record.error) for record in records), sum(record.skipped for record in records)
    before, after = _sizes(records)
    parts = []
    if written := len(records) - failed - skipped:
        share = f" ({after / before:.1%})" if before else ""
        parts.append(f"{written} written, {size_of(before)} to {size_of(after)}{share}")
    if skipped:
        parts.append(f"{skipped} up to date (--force writes them again)")
    if failed:
        parts.append(f"{failed} failed")
    return "; ".join(parts)


def size_of(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(count) >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


# --- One file -------------------------------------------------------------------------------------


def description_of(found: dict[str, Any]) -> str:
    """Write what `report.describe` found as lines of text."""
    tiles = "1 tile" if found["tiles"] == 1 else f"{found['tiles']:,} tiles"
    lines = [
        click.style(found["path"], bold=True),
        f"  picture     {found['width']} x {found['height']} pixels, mode {found['mode']}",
        f"  colours     {found['k']:,}",
        f"  labels      {found['labels']}, {tiles} of {found['tile_width']} x {found['tile_height']}",
        f"  bytes       {found['bytes']:,} ({found['bits_per_pixel']:.3f} bits a pixel)",
        *(f"  {name.replace('_', ' '):>11} {size:,}" for name, size in found["parts"].items()),
    ]
    if "frames" in found:
        shown = (
            "for ever" if not found["loop"] else "once" if found["loop"] == 1 else f"{found['loop']} times"
        )
        lines.insert(2, f"  frames      {found['frames']:,}, {_times(found['durations'])}, shown {shown}")
    if "dpi" in found:
        lines.append("  resolution  {:g} x {:g} dpi".format(*found["dpi"]))
    if "rdo" in found:
        lines.append(f"  rdo         {found['rdo']:g}")
    return "\n".join(lines + [f"  {_swatch(entry)}{entry}" for entry in found.get("codebook", [])])


def _times(durations: list[int]) -> str:
    """Write for how long frames are shown."""
    low, high, total = min(durations), max(durations), sum(durations) / 1000
    each = f"{low} ms each" if low == high else f"{low} to {high} ms each"
    return f"{each}, {total:g} s together"


def _swatch(entry: str) -> str:
    """Return a patch of a colour, which click leaves out where there is no terminal."""
    if not entry.startswith("#"):
        return ""
    red, green, blue = (int(entry[at : at + 2], 16) for at in (1, 3, 5))
    return click.style("  ", bg=(red, green, blue)) + " "


def comparison_text(found: dict[str, Any]) -> str:
    """Write the figures of `report.compare` as lines of text."""
    quality = "exact" if found["exact"] else f"{found['mse']:.2f} mean squared error"
    if found["psnr"] is not None:
        quality = f"{found['psnr']:.2f} dB PSNR"
    if found["ssim"] is not None and not found["exact"]:
        quality += f", {found['ssim']:.4f} SSIM"
    share = found["bytes"] / found["original_bytes"]
    lines = [
        f"bytes    {found['original_bytes']:,} to {found['bytes']:,} ({share:.1%}),"
        f" {found['bits_per_pixel']:.3f} bits a pixel",
        f"quality  {quality}",
    ]
    if found["labels_changed"] is not None:
        lines.append(f"labels changed: {percentage(found['labels_changed'])}")
    if found["k"] is not None:
        lines.append(f"colours  {found['k']:,}")
    if "frames" in found:
        changed = f"of which {found['frames_changed']:,} changed"
        lines.append(f"frames   {found['frames']:,}, {changed}; shown: {found['frame']}")
    return "\n".join(lines)


# --- Many options ---------------------------------------------------------------------------------


def row_text(row: dict[str, Any], *, heading: bool) -> str:
    """Write a row of `report.sweep` as a line of text."""
    option = next(iter(row))
    psnr = "exact" if row["psnr"] is None else f"{row['psnr']:.2f} dB"
    line = (
        f"{row[option]:>8} {row['colours']:>7} {row['bytes']:>11,} {row['bits_per_pixel']:>9.3f} {psnr:>9}"
        f" {row['encode_seconds']:>7.3f} s {row['decode_seconds']:>7.3f} s"
    )
    titles = (
        f"{option:>8} {'colours':>7} {'bytes':>11} {'bits/px':>9} {'PSNR':>9} {'encode':>9} {'decode':>9}"
    )
    return f"{click.style(titles, bold=True)}\n{line}" if heading else line


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
