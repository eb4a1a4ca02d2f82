"""imageio reads and writes KMC by path once kmc_format is imported."""

import imageio.v2
import imageio.v3
import numpy as np
import pytest

import kmc_format

RNG = np.random.default_rng(0)
ARRAYS = {
    "grey": RNG.integers(0, 90, (9, 12), dtype=np.uint8),
    "grey-alpha": RNG.integers(0, 256, (9, 12, 2), dtype=np.uint8),
    "rgb": RNG.integers(0, 256, (9, 12, 3), dtype=np.uint8),
    "rgba": RNG.integers(0, 256, (9, 12, 4), dtype=np.uint8),
    "bool": RNG.random((9, 12)) < 0.5,
    "uint16": RNG.integers(0, 65536, (9, 12), dtype=np.uint16),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("api", [imageio.v2, imageio.v3], ids=["v2", "v3"])
def test_round_trip(tmp_path, api, name):
    array, path = ARRAYS[name], tmp_path / "x.kmc"
    if name == "bool" and api is imageio.v2:
        with pytest.raises(ValueError, match="not numeric"):  # imageio.v2 writes no bool in any format
            api.imwrite(path, array)
        array = array.astype(np.uint8) * 255
    api.imwrite(path, array, k=256)
    assert path.read_bytes().startswith(b"\x8bKMC")
    assert np.array_equal(np.asarray(api.imread(path)), array)


@pytest.mark.parametrize("api", [imageio.v2, imageio.v3], ids=["v2", "v3"])
def test_options_reach_the_encoder(tmp_path, api):
    path = tmp_path / "x.kmc"
    api.imwrite(path, ARRAYS["rgb"], k=32)
    assert kmc_format.read_header(path).k == 32
    with pytest.raises(ValueError, match="k must be"):
        api.imwrite(tmp_path / "y.kmc", ARRAYS["rgb"], k=-1)


def test_bytes_and_properties(tmp_path):
    path = tmp_path / "x.kmc"
    imageio.v3.imwrite(path, ARRAYS["rgb"])
    assert np.array_equal(imageio.v3.imread(path.read_bytes()), ARRAYS["rgb"])
    assert imageio.v3.improps(path).shape == (9, 12, 3)
    assert imageio.v3.immeta(path)["k"] == 108
    assert [frame.shape for frame in imageio.v3.imiter(path)] == [(9, 12, 3)]
