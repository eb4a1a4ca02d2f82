"""Quantising and saving against scikit-learn's KMeans on the raw pixels: time, and error of the codebook.

    python tests/benchmarks/save_speed.py

KMeans only clusters, with its default settings; `quantize` clusters and labels, and saving codes the
labels too, at the default effort. All are measured after import. MSE is the mean over pixels and
channels in 8-bit units; KMeans keeps its centres as fractions, KMC rounds them.
"""

from __future__ import annotations

import io

import numpy as np
from common import alternate, kodak, versions
from PIL import Image
from sklearn.cluster import KMeans

import kmc_format


def main() -> None:
    print(
        "| picture | k | quantize | save | KMeans | KMeans / quantize | MSE of KMC | MSE of KMeans | ratio |"
    )
    print("|---" * 9 + "|")
    for number, k in ((5, 16), (5, 64), (5, 256), (23, 16), (23, 64), (23, 256), (13, 64)):
        image = kodak(number)
        pixels = np.asarray(image)
        fits: list[KMeans] = []

        def cluster(pixels: np.ndarray = pixels, k: int = k, fits: list[KMeans] = fits) -> None:
            fits.append(KMeans(k, n_init=1, random_state=len(fits)).fit(pixels.reshape(-1, 3)))

        def save(image: Image.Image = image, k: int = k) -> None:
            image.save(io.BytesIO(), "KMC", k=k)

        def quantize(image: Image.Image = image, k: int = k) -> None:
            kmc_format.quantize(image, k)

        save()
        ours, whole, theirs = alternate(5 if k < 256 else 3, quantize, save, cluster)
        error = float(np.mean(np.square(kmc_format.quantize(image, k).expand() - pixels.astype(float))))
        reference = float(np.mean([fit.inertia_ for fit in fits])) / pixels.size
        print(
            f"| kodim{number:02d} | {k} | {ours:.3f} s | {whole:.3f} s | {theirs:.3f} s |"
            f" {theirs / ours:.1f} | {error:.3f} | {reference:.3f} | {error / reference:.4f} |"
        )
    print()
    print(versions("kmc-format", "scikit-learn", "numpy"))


if __name__ == "__main__":
    main()
