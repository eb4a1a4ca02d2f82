import io
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms
from support import coded, indexed_pictures, resealed, smooth

import kmc_format
from kmc_format import Indexed, KMCError
from kmc_format._format import codec, container
from kmc_format._format.container import Reader
from kmc_format._format.metadata import Metadata

tiles = st.one_of(st.none(), st.integers(1, 25), st.tuples(st.integers(1, 25), st.integers(1, 25)))

metadata = st.fixed_dictionaries(
    {},
    optional={
        "icc_profile": st.binary(max_size=40),
        "exif": st.binary(max_size=40),
        "xmp": st.binary(max_size=40),
        "dpi": st.tuples(*[st.floats(1e-300, 1e300)] * 2),
    },
)


def read(data, **options):
    reader = Reader(io.BytesIO(data))
    header = codec.read_header(reader)
    return header, codec.decode(reader, header, **options)


@given(indexed_pictures(), tiles, metadata)
@settings(deadline=None)
def test_round_trip(picture, tile, given_metadata):
    data = coded(picture, tile=tile, metadata=given_metadata)
    header, decoded = read(data + b"and something else")
    assert decoded == picture
    assert (header.size, header.mode, header.k) == (picture.size, picture.mode, picture.k)
    assert header.metadata == given_metadata
    assert coded(picture, tile=tile, metadata=given_metadata) == data


def one_of_each():
    """A palette picture of 13 x 9 pixels in six tiles with all metadata."""
    rng = np.random.default_rng(3)
    codebook = rng.integers(0, 256, (6, 3), dtype=np.uint8)
    picture = Indexed(codebook, rng.integers(0, 6, (9, 13)), "P")
    everything = Metadata(icc_profile=b"icc", exif=b"exif", xmp=b"xmp", dpi=(72, 300.5), transparency=2)
    return picture, everything, coded(picture, tile=5, metadata=everything)


def test_transparency_joins_the_palette_as_alpha():
    picture, everything, data = one_of_each()
    header, decoded = read(data)
    assert header.metadata == everything
    assert np.array_equal(decoded.labels, picture.labels)
    assert decoded.codebook[:, 3].tolist() == [255, 255, 0, 255, 255, 255]
    data = coded(picture, metadata={"transparency": b"\x07\x08"})
    assert read(data)[1].codebook[:, 3].tolist() == [7, 8, 255, 255, 255, 255]


def test_every_truncation_and_every_byte_flip_is_noticed():
    _, _, data = one_of_each()
    for end in range(len(data)):
        with pytest.raises(KMCError):
            read(data[:end])
    for place in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            with pytest.raises(KMCError):
                read(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])


def test_damage_names_the_tile_and_leaves_the_others():
    picture, _, data = one_of_each()
    header, _ = read(data)
    start = header.front.start + sum(header.front.tile_lengths[:4])
    damaged = data[: start + 3] + bytes([data[start + 3] ^ 4]) + data[start + 4 :]
    with pytest.raises(KMCError, match=rf"tile 4 at byte {start}"):
        read(damaged)
    box = list(header.front.grid)[4]
    expected = picture.labels.copy()
    expected[box.upper : box.lower, box.left : box.right] = 0
    assert np.array_equal(read(damaged, tolerant=True)[1].labels, expected)
    cut = read(data[:start], tolerant=True)[1].labels
    assert np.array_equal(cut[:5], picture.labels[:5])
    assert not cut[5:, 5:].any()


def test_a_stream_is_read_front_to_back_and_no_further():
    picture, _, data = one_of_each()
    file = io.BytesIO(data + b"next")
    assert kmc_format.decode(file).labels.tolist() == picture.labels.tolist()
    assert file.read() == b"next"


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 16, 17, 256, 257, 4096, 65536])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (7, 5)])
def test_every_label_width_and_shape(k, size):
    rng = np.random.default_rng(k)
    codebook = rng.integers(0, 256, (k, 3), dtype=np.uint8)
    labels = rng.integers(0, k, size)
    labels.flat[-1] = k - 1
    picture = Indexed(codebook, labels)
    assert kmc_format.decode(coded(picture)) == picture


def test_labels_are_deflated_only_where_that_is_shorter():
    flat = Indexed(np.zeros((200, 1), np.uint8), np.zeros((100, 100), int))
    noise = Indexed(np.zeros((256, 1), np.uint8), np.random.default_rng(0).integers(0, 256, (100, 100)))
    assert len(coded(flat)) < 100
    assert 10_000 < len(coded(noise)) < 10_000 + 60


@pytest.mark.parametrize("size", [(16, 16), (768, 512), (1024, 1024), (2**20, 1), (1, 2**20), (2048, 1024)])
@pytest.mark.parametrize("k", [2, 256, 65536])
def test_the_fixed_cost_of_one_tile_is_at_most_32_bytes(size, k):
    width, height = size
    codebook = np.zeros((k, 4), np.uint8)
    data = coded(Indexed(codebook, np.zeros((height, width), np.uint8)))
    header, _ = read(data)
    assert header.tiles == 1
    tile = next(container.read_tiles(Reader(io.BytesIO(data[header.front.start :])), header.front))
    assert len(data) - len(header.front.codebook) - len(tile.payload) <= 32


@pytest.mark.parametrize(
    ("size", "tiles"),
    [((2048, 1024), 1), ((2049, 1024), 2), ((4608, 2048), 8), ((10, 10**6), 5), ((6000, 500), 2)],
)
def test_automatic_tiles_have_about_two_megapixels(size, tiles):
    width, height = size
    picture = Indexed(np.zeros((2, 1), np.uint8), np.zeros((height, width), np.uint8))
    header, decoded = read(coded(picture))
    assert header.tiles == tiles
    assert decoded == picture


def stored_exif(data):
    """Read the payload of the only chunk of metadata as FORMAT.md says."""
    [payload] = container.read_front(Reader(io.BytesIO(data))).chunks.values()
    for at in range(1, 5):
        if payload[at - 1] < 0x80:
            break
    length = sum((byte & 0x7F) << 7 * n for n, byte in enumerate(payload[:at]))
    stored = payload[at:]
    return stored, stored if len(stored) == length else zlib.decompress(stored, -15)


def test_metadata_are_deflated_where_that_is_shorter():
    picture = Indexed(np.zeros((1, 1), np.uint8), np.zeros((1, 1), int))
    noise = np.random.default_rng(0).bytes(70_000)
    for exif in (
        b"",
        b"x",
        b"x" * 127,
        b"ab" * 70,
        bytes(2**24),
        noise,
        noise[:127],
        b"x" * 128,
        noise[:128],
    ):
        data = coded(picture, metadata={"exif": exif})
        stored, told = stored_exif(data)
        assert told == exif == codec.read_header(Reader(io.BytesIO(data))).metadata["exif"]
        assert len(stored) <= len(exif)
        assert (len(stored) < len(exif) // 20 + 9) == (exif not in (noise, noise[:127], noise[:128]))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile = kmc_format.encode(smooth(), icc_profile=profile)
    assert len(with_profile) - len(kmc_format.encode(smooth())) < 0.75 * len(profile)


@pytest.mark.parametrize(
    ("option", "value", "error", "words"),
    [
        ("tile", 0, ValueError, "at least 1 pixel"),
        ("tile", (4, -1), ValueError, "at least 1 pixel"),
        ("tile", (4,), TypeError, "an int or a pair of int"),
        ("tile", 1.5, TypeError, "an int or a pair of int"),
        ("tile", True, TypeError, "an int or a pair of int"),
        ("tile", "64", TypeError, "an int or a pair of int"),
        ("exif", "text", TypeError, "exif must be bytes"),
        ("icc_profile", 7, TypeError, "icc_profile must be bytes"),
        ("xmp", 7, TypeError, "xmp must be bytes"),
        ("xmp", bytes(container.MAX_METADATA + 1), ValueError, "at most 16777216"),
        ("dpi", 72, TypeError, "a pair of numbers"),
        ("dpi", (72, 72, 72), TypeError, "a pair of numbers"),
        ("dpi", (72, "x"), TypeError, "a pair of numbers"),
        ("dpi", "72", TypeError, "a pair of numbers"),
        ("dpi", (0, 72), ValueError, "positive"),
        ("dpi", (72, float("nan")), ValueError, "positive"),
    ],
)
def test_a_bad_option_is_named(option, value, error, words):
    with pytest.raises(error, match=words):
        kmc_format.encode(smooth(), **{option: value})


def test_too_many_or_too_large_tiles_are_refused():
    with pytest.raises(ValueError, match="tiles of over"):
        codec.layout((2**15, 2**15), 1, 2**15, 1)
    with pytest.raises(ValueError, match="at most 16777216"):
        codec.layout((2**15, 2**15), 1, 1, 1)


def test_tolerance_does_not_extend_to_the_header():
    data = coded(Indexed(np.zeros((2, 1), np.uint8), np.zeros((2, 2), int)))
    with pytest.raises(KMCError):
        read(data[:12], tolerant=True)


def test_unknown_ancillary_chunks_are_skipped_and_critical_ones_refused():
    _, _, data = one_of_each()
    start = data.index(container.pack_chunk(container.ICC_PROFILE, b"\3icc"))
    for tag in "zq":
        private = container.pack_chunk(ord(tag), b"\x03me!" + bytes(100))
        assert read(data[:start] + private + data[start:])
    for tag in "ZQ":
        private = container.pack_chunk(ord(tag), b"\x03me!")
        with pytest.raises(kmc_format.UnsupportedError, match="newer than this reader"):
            read(data[:start] + private + data[start:])


def test_a_false_label_is_refused():
    data = coded(Indexed(np.zeros((3, 1), np.uint8), np.array([[0, 1, 2]])))
    start = read(data)[0].front.start
    bad = resealed(data[: start + 2] + b"\xff" + data[start + 3 :], start, start + 3)
    with pytest.raises(KMCError, match="label 3 is not below k = 3"):
        read(bad)


def test_every_kind_of_source_is_read(tmp_path):
    data = kmc_format.encode(smooth(), k=5)
    path = tmp_path / "x.kmc"
    path.write_bytes(data)
    expected = kmc_format.decode(data)
    for source in (str(path), path, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert kmc_format.decode(source) == expected
    with path.open("rb") as file:
        assert kmc_format.read_header(file).size == (96, 64)
    with pytest.raises(TypeError, match="source must be a path, bytes or a binary file, not NoneType"):
        kmc_format.decode(None)
    with pytest.raises(FileNotFoundError):
        kmc_format.decode(tmp_path / "missing.kmc")


def test_an_indexed_is_stored_as_it_is():
    picture = Indexed(np.array([[9, 9, 9], [9, 9, 9]], np.uint8), np.array([[1, 0]]))
    assert kmc_format.decode(kmc_format.encode(picture, tile=1)) == picture
    with pytest.raises(TypeError, match="k=3 is for pixels"):
        kmc_format.encode(picture, k=3)


@pytest.mark.parametrize("k", [2, 200, 300])
@pytest.mark.parametrize("tile", [None, 2])
def test_decoded_arrays_can_be_written_to(k, tile):
    picture = Indexed(np.zeros((k, 3), np.uint8), np.zeros((5, 5), int))
    decoded = kmc_format.decode(kmc_format.encode(picture, tile=tile))
    assert decoded.labels.flags.writeable
    assert decoded.codebook.flags.writeable


@pytest.mark.parametrize("dtype", [">u2", ">i4"])
def test_a_big_endian_codebook_is_stored_right(dtype):
    picture = Indexed(np.array([[1], [300]], dtype), np.array([[0, 1]]))
    assert kmc_format.decode(kmc_format.encode(picture)).codebook.tolist() == [[1], [300]]


def test_transparency_replaces_the_alpha_it_names():
    codebook = np.array([[1, 2, 3, 40], [5, 6, 7, 80]], np.uint8)
    data = coded(Indexed(codebook, np.array([[0, 1]]), "P"), metadata={"transparency": 1})
    assert read(data)[1].codebook.tolist() == [[1, 2, 3, 40], [5, 6, 7, 0]]


@pytest.mark.parametrize("threads", [1, 4])
def test_decoded_tiles_are_let_go_as_they_are_placed(threads):
    labels = np.random.default_rng(0).integers(0, 200, (1000, 1000), np.uint8)
    data = kmc_format.encode(Indexed(np.zeros((200, 3), np.uint8), labels), tile=100, effort=0)
    kmc_format.decode(data, threads=threads)  # imports what threads need
    tracemalloc.start()
    try:
        kmc_format.decode(data, threads=threads)
        assert tracemalloc.get_traced_memory()[1] < 1.7 * labels.nbytes  # all kept: 2.1
    finally:
        tracemalloc.stop()
