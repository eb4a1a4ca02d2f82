"""The canvas on which matplotlib draws figures that are saved as KMC; `registration` tells matplotlib of it.

>>> from matplotlib.figure import Figure
>>> import io
>>> import kmc_format
>>> file = io.BytesIO()
>>> Figure().savefig(file, format="kmc", pil_kwargs={"k": 64})
>>> kmc_format.read_header(file.getvalue()).mode
'RGBA'
"""

from __future__ import annotations

import functools
from typing import Any


def __getattr__(name: str) -> Any:
    """Return `FigureCanvas`, the name by which matplotlib takes a canvas from a module."""
    if name == "FigureCanvas":
        return _canvas()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _canvas() -> Any:
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    class FigureCanvas(FigureCanvasAgg):  # type: ignore[misc]  # which has no types
        filetypes = {**FigureCanvasAgg.filetypes, "kmc": "K-Means codebook image"}  # noqa: RUF012  # as its base's

        def print_kmc(self, file: Any, *, pil_kwargs: dict[str, Any] | None = None, **_: Any) -> None:
            """Draw the figure; save it with its resolution and the save options in `pil_kwargs`.

            What else matplotlib gives, as colours and `metadata`, is in the figure, or has no place in KMC.
            """
            self.draw()
            resolution = self.figure.dpi
            options = {"dpi": (resolution, resolution), **(pil_kwargs or {})}
            Image.fromarray(np.asarray(self.buffer_rgba())).save(file, "KMC", **options)

    return FigureCanvas
