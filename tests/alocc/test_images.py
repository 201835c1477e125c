"""Image files of every kind that Pillow reads: what is seen in them is what the arrays hold."""

import contextlib
import re
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, features
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from alocc import datasets

DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


TURNED = {  # as seen, from what is stored
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


def table_of_modes():
    """What load_image_folder's docstring says of each mode."""
    rows = re.findall(r"^    ([A-Z1].*?)  +(\S.*)$", datasets.load_image_folder.__doc__, re.M)
    return {mode: text for modes, text in rows[1:] for mode in modes.split(", ")}


def picture(mode):
    """Two pixels of a mode, the second transparent where there can be transparency; and what
    is seen of them on white."""
    raw, seen = {
        "1": ([0b01000000], [0, 255]),
        "L": ([10, 200], [10, 200]),
        "LA": ([10, 255, 10, 0], [10, 255]),
        "La": ([10, 255, 0, 0], [10, 255]),
        "P": ([0, 1], [(10, 20, 30), (255, 255, 255)]),
        "PA": ([0, 255, 0, 0], [(10, 20, 30), (255, 255, 255)]),
        "RGB": ([10, 20, 30, 40, 50, 60], [(10, 20, 30), (40, 50, 60)]),
        "RGBX": ([10, 20, 30, 0, 40, 50, 60, 0], [(10, 20, 30), (40, 50, 60)]),
        "RGBA": ([10, 20, 30, 255, 40, 50, 60, 0], [(10, 20, 30), (255, 255, 255)]),
        "RGBa": ([10, 20, 30, 255, 0, 0, 0, 0], [(10, 20, 30), (255, 255, 255)]),
        "CMYK": ([0, 0, 0, 255, 255, 0, 0, 0], [(0, 0, 0), (0, 255, 255)]),
        "YCbCr": ([76, 85, 255, 255, 128, 128], [(255, 0, 0), (255, 255, 255)]),
        "HSV": ([0, 255, 255, 0, 0, 255], [(255, 0, 0), (255, 255, 255)]),
        "LAB": ([138, 81, 70, 255, 0, 0], [(255, 0, 0), (255, 255, 255)]),
        "I;16": (struct.pack("<2H", 0, 0xFFFF), [0, 255]),
        "I;16L": (struct.pack("<2H", 0, 0xFFFF), [0, 255]),
        "I;16B": (struct.pack(">2H", 0, 0xFFFF), [0, 255]),
        "I;16N": (struct.pack("=2H", 0, 0xFFFF), [0, 255]),
        "I": (struct.pack("=2i", 0, 0xFFFF), [0, 255]),
        "F": (struct.pack("=2f", 0, 1), [0, 255]),
    }[mode]
    image = Image.frombytes(mode, (2, 1), bytes(raw))
    if mode in ("P", "PA"):
        image.putpalette([10, 20, 30, 40, 50, 60])
    if mode == "P":
        image.info["transparency"] = 1
    return image, np.array(seen).reshape(1, 1, 2, -1)


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read an image of Pillow's as if it came from a file, as not all can be written to one."""

    def read(image, **options):
        (tmp_path / "1.png").touch()
        monkeypatch.setattr(Image, "open", lambda path: image)
        return datasets.load_image_folder(tmp_path, **options).data

    return read


def png(depth, colour_type, rows, *chunks):
    """Bytes of a PNG, whose rows are bytes."""

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    size = (len(rows[0]) * 8 // bits, len(rows))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(pixels, bits, *, size, samples=1, sample_format=1, photometric=1, compression=1, extra=()):
    """Bytes of a plain TIFF, of kinds that Pillow reads but does not write."""
    tags = ImageFileDirectory_v2()
    tags[256], tags[257] = size
    tags[258], tags[259], tags[262] = (bits,) * samples, compression, photometric
    tags[273], tags[277], tags[278], tags[279] = 0, samples, size[1], len(pixels)
    tags[339] = sample_format
    if extra:
        tags[338] = extra
    return b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + pixels  # where it counts 273 from


def save(path, array, **options):
    Image.fromarray(np.asarray(array)).save(path, **options)


def load(folder, **options):
    return datasets.load_image_folder(folder, **options).data


@contextlib.contextmanager
def no_warning():
    """Make any warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.filterwarnings("ignore:.*more channels than are read")
class TestModes:
    def test_the_table_names_every_mode(self):
        assert set(table_of_modes()) >= set(Image.MODES)

    @pytest.mark.parametrize("mode", table_of_modes())
    def test_what_the_table_says_is_so(self, read, mode):
        text = table_of_modes()[mode]
        image, seen = picture(mode)
        if mode == "LAB" and not features.check("littlecms2"):
            pytest.skip("this Pillow does not convert LAB")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            data = read(image)
        assert bool(caught) == ("warning" in text)
        assert data.dtype == np.uint8
        assert data.shape[3] == {"grey": 1, "colour": 3}[re.match("grey|colour", text)[0]] or (
            mode in ("P", "PA")  # "grey if its colours are"
        )
        tolerance = {"YCbCr": 3, "HSV": 3, "LAB": 5}.get(mode, 0)  # of steps of a byte
        np.testing.assert_allclose(data.astype(int), seen, atol=tolerance)

    @pytest.mark.parametrize("mode", table_of_modes())
    def test_the_background_shows_where_the_table_says_so(self, read, mode):
        image, _ = picture(mode)
        on_grey = read(image, background=77)[0, 0, 1]
        assert (on_grey == 77).all() == ("laid on the background" in table_of_modes()[mode])

    @pytest.mark.parametrize("mode", table_of_modes())
    def test_white_is_for_the_modes_of_which_the_table_says_so(self, read, mode):
        image, _ = picture(mode)
        white = 2.0 if mode == "F" else 2 * 65535
        changed = read(image, white=white).max() == 128
        assert changed == ("``white``" in table_of_modes()[mode]) == (mode in DEEP)

    @pytest.mark.parametrize("mode", table_of_modes())
    @pytest.mark.parametrize("channels", [1, 3])
    def test_every_mode_becomes_grey_or_colour_on_demand(self, read, mode, channels):
        image, seen = picture(mode)
        data = read(image, channels=channels)
        assert data.shape == (1, 1, 2, channels)
        luma = seen @ [0.299, 0.587, 0.114] if seen.shape[3] == 3 else seen[..., 0]
        if channels == 1:
            np.testing.assert_allclose(data[..., 0], luma, atol=3)

    @pytest.mark.parametrize("mode", ["P", "PA"])
    def test_a_palette_of_greys_is_grey(self, read, mode):
        image, _ = picture(mode)
        image.info.clear()
        image.putpalette([7, 7, 7, 9, 9, 9, 10, 20, 30])  # a colour that no pixel has
        assert read(image).tolist()[0][0][0] == [7]
        assert read(image).shape[3] == 1

    def test_a_mode_that_pillow_cannot_convert_is_named(self, read, monkeypatch):
        image, _ = picture("LAB")
        monkeypatch.setattr(Image.Image, "convert", lambda self, mode: 1 / 0)
        with pytest.raises(ValueError, match=r"1\.png is not a readable image"):
            read(image)


class TestTransparency:
    SHAPE = np.tile(np.array([0, 255], np.uint8), (4, 2))

    @pytest.mark.parametrize("bands", ["LA", "RGBA"])
    def test_a_black_shape_in_alpha_alone_stands_on_white(self, tmp_path, bands):
        image = np.zeros((4, 4, len(bands)), np.uint8)
        image[..., -1] = self.SHAPE
        save(tmp_path / "1.png", image)
        seen = load(tmp_path)
        np.testing.assert_array_equal(seen[0, ..., 0], 255 - self.SHAPE)

    @pytest.mark.parametrize("bands", ["LA", "RGBA"])
    def test_a_white_shape_in_alpha_alone_stands_on_black_with_a_warning(self, tmp_path, bands):
        image = np.full((4, 4, len(bands)), 255, np.uint8)
        image[..., -1] = self.SHAPE
        save(tmp_path / "1.png", image)
        with pytest.warns(UserWarning, match=r"1\.png: is white.*laid on black"):
            seen = load(tmp_path)
        np.testing.assert_array_equal(seen[0, ..., 0], self.SHAPE)
        assert (load(tmp_path, background=255) == 255).all()

    def test_half_of_it_is_half_seen(self, tmp_path):
        save(tmp_path / "1.png", np.tile(np.array([100, 0, 0, 51], np.uint8), (4, 4, 1)))
        np.testing.assert_allclose(load(tmp_path)[0, 0, 0], [224, 204, 204], atol=1)
        np.testing.assert_allclose(load(tmp_path, background=0)[0, 0, 0], [20, 0, 0], atol=1)

    def test_what_is_all_transparent_is_told(self, tmp_path):
        save(tmp_path / "1.png", np.zeros((4, 4, 4), np.uint8))
        with pytest.warns(UserWarning, match=r"1\.png: is transparent all over"):
            assert (load(tmp_path) == 255).all()

    @pytest.mark.parametrize(
        ("raw", "seen"),
        [
            (png(8, 0, [[10, 20]], (b"tRNS", b"\0\x14")), [10, 255]),
            (png(4, 0, [[0x3F]], (b"tRNS", b"\0\x03")), [255, 255]),
            (png(4, 0, [[0x03]], (b"tRNS", b"\0\x03")), [0, 255]),
            (png(2, 0, [[0b00011011]], (b"tRNS", b"\0\x01")), [0, 255, 170, 255]),
            (png(1, 0, [[0b01010101]], (b"tRNS", b"\0\0")), [255] * 8),
            (png(8, 2, [[1, 2, 3, 4, 5, 6]], (b"tRNS", b"\0\x04\0\x05\0\x06")), [1, 255]),
            (
                png(8, 3, [[0, 1]], (b"PLTE", bytes([1, 1, 1, 9, 9, 9])), (b"tRNS", b"\xff\0")),
                [1, 255],
            ),
        ],
        ids=["8 bits", "4 bits", "4 bits of two", "2 bits", "1 bit", "RGB", "P"],
    )
    @pytest.mark.filterwarnings("ignore:.*laid on black")
    def test_a_transparent_colour_of_a_png_shows_the_background(self, tmp_path, raw, seen):
        (tmp_path / "1.png").write_bytes(raw)
        assert load(tmp_path, background=255)[0, 0, :, 0].tolist() == seen

    @pytest.mark.parametrize(("kind", "key"), [(0, b"\0\x14"), (2, b"\0\1\0\2\0\3")])
    def test_one_of_16_bits_is_refused(self, tmp_path, kind, key):
        (tmp_path / "1.png").write_bytes(png(16, kind, [bytes(12)], (b"tRNS", key)))
        with pytest.raises(ValueError, match=r"1\.png .*transparent.*save it as RGBA"):
            load(tmp_path)

    def test_a_gif_has_it_too(self, tmp_path):
        image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
        image.putpalette([1, 2, 3, 4, 5, 6])
        image.save(tmp_path / "1.gif", transparency=1)
        assert load(tmp_path)[0, 0].tolist() == [[1, 2, 3], [255, 255, 255]]


class TestOrientation:
    @pytest.mark.parametrize("orientation", TURNED)
    @pytest.mark.parametrize("name", ["1.png", "1.tif", "1.webp", "16.png", "float.tif"])
    def test_an_image_is_upright(self, tmp_path, orientation, name):
        stored = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if name == "1.webp" else {}
        deep = {"16.png": stored.astype(np.uint16) * 257, "float.tif": stored / np.float32(255)}
        save(tmp_path / name, deep.get(name, stored), exif=exif, **options)
        np.testing.assert_array_equal(
            load(tmp_path, channels=1)[0, ..., 0], TURNED[orientation](stored)
        )

    def test_a_photo_on_its_side_is_of_the_size_of_an_upright_one(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        save(tmp_path / "1.jpg", np.zeros((8, 16, 3), np.uint8), exif=exif)
        save(tmp_path / "2.jpg", np.zeros((16, 8, 3), np.uint8))
        assert load(tmp_path).shape == (2, 16, 8, 3)

    def test_broken_exif_data_are_told_and_the_photo_read(self, tmp_path, monkeypatch):
        from PIL import ImageOps

        def broken(image):
            raise struct.error("unpack requires a buffer of 2 bytes")

        save(tmp_path / "1.jpg", np.full((8, 16, 3), 100, np.uint8))
        monkeypatch.setattr(ImageOps, "exif_transpose", broken)
        with pytest.warns(UserWarning, match=r"1\.jpg: its EXIF data are broken"):
            assert load(tmp_path).shape == (1, 8, 16, 3)


class TestDepth:
    @pytest.mark.parametrize("name", ["1.png", "1.tif"])
    def test_16_bits_are_scaled(self, tmp_path, name):
        save(tmp_path / name, np.array([[0, 0x8080, 0xFFFF]], np.uint16))
        with no_warning():
            assert load(tmp_path).ravel().tolist() == [0, 128, 255]

    @pytest.mark.parametrize(("most", "bits"), [(255, 8), (200, 8), (4095, 12), (300, 12)])
    @pytest.mark.parametrize("name", ["1.png", "1.tif", "1.pgm"])
    def test_fewer_bits_in_a_file_of_16_are_found_with_a_warning(self, tmp_path, most, bits, name):
        values = np.array([[0, most // 2, most]], np.uint16)
        if name == "1.pgm":
            (tmp_path / name).write_bytes(b"P5 3 1 65535\n" + values.astype(">u2").tobytes())
        else:
            save(tmp_path / name, values)
        white = 2**bits - 1
        with pytest.warns(UserWarning, match=rf"above {most}: read as {bits} bits, white={white}"):
            seen = load(tmp_path)
        np.testing.assert_allclose(seen.ravel(), values.ravel() * 255.0 / white, atol=0.501)

    def test_white_overrules_it(self, tmp_path):
        save(tmp_path / "1.png", np.array([[0, 200, 255]], np.uint16))
        with no_warning():
            assert load(tmp_path, white=510).ravel().tolist() == [0, 100, 128]
        with pytest.raises(ValueError, match=r"1\.png holds pixels up to 255, above white=254"):
            load(tmp_path, white=254)

    def test_all_black_for_its_white_is_told(self, tmp_path):
        save(tmp_path / "1.png", np.array([[0, 100]], np.uint16))
        with pytest.warns(UserWarning, match=r"1\.png: nothing in it comes near white=65535"):
            load(tmp_path, white=65535)

    def test_a_set_has_one_depth(self, tmp_path):
        save(tmp_path / "1.png", np.array([[0, 255]], np.uint16))
        save(tmp_path / "2.png", np.array([[0, 4000]], np.uint16))
        save(tmp_path / "3.png", np.array([[0, 100]], np.uint8))  # a byte is a byte
        with pytest.warns(UserWarning, match=r"1\.png and 1 more: .*12 bits") as caught:
            assert load(tmp_path)[:, 0, 1, 0].tolist() == [16, 249, 100]
        assert len(caught) == 1

    def test_train_and_test_are_one_set(self, tmp_path):
        for name, most in [("train", 255), ("test", 4095)]:
            (tmp_path / name).mkdir()
            save(tmp_path / name / "1.png", np.array([[0, most]], np.uint16))
        with pytest.warns(UserWarning, match="12 bits"):
            images = datasets.load_images(tmp_path)
        assert (images.data.max(), images.test_data.max()) == (16, 255)

    def test_packed_12_bits_are_known(self, tmp_path):
        (tmp_path / "1.tif").write_bytes(tiff(b"\x00\x0f\xff", 12, size=(2, 1)))
        with no_warning():
            assert load(tmp_path).ravel().tolist() == [0, 255]

    def test_a_pgm_knows_its_white(self, tmp_path):
        (tmp_path / "1.pgm").write_bytes(b"P5 2 1 4095\n" + struct.pack(">2H", 100, 1000))
        with no_warning():
            assert load(tmp_path).ravel().tolist() == [6, 62]

    def test_white_may_be_0_in_a_tiff(self, tmp_path):
        raw = struct.pack("<2H", 0, 0xFFFF)
        (tmp_path / "1.tif").write_bytes(tiff(raw, 16, photometric=0, size=(2, 1)))
        assert load(tmp_path).ravel().tolist() == [255, 0]
        raw = struct.pack("<2f", 0, 1)
        (tmp_path / "1.tif").write_bytes(tiff(raw, 32, sample_format=3, photometric=0, size=(2, 1)))
        with pytest.raises(ValueError, match="floats whose white is 0"):
            load(tmp_path)

    def test_floats_in_0_1_are_read(self, tmp_path):
        save(tmp_path / "1.tif", np.array([[0, 0.2, 1]], np.float32))
        with no_warning():
            assert load(tmp_path).ravel().tolist() == [0, 51, 255]
            assert load(tmp_path).shape[3] == 1

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ([0, 255], "up to 255, above white=1; give white"),
            ([-1, 1], "from -1 to 1; expected 0 or more"),
            ([0, np.nan], "NaN or infinite"),
            ([0, np.inf], "NaN or infinite"),
        ],
    )
    def test_other_floats_are_refused(self, tmp_path, values, message):
        save(tmp_path / "1.tif", np.array([values], np.float32))
        with pytest.raises(ValueError, match=rf"1\.tif .*{message}"):
            load(tmp_path)

    def test_white_reads_floats_of_another_scale(self, tmp_path):
        save(tmp_path / "1.tif", np.array([[0, 51, 255]], np.float32))
        with no_warning():
            assert load(tmp_path, white=255).ravel().tolist() == [0, 51, 255]

    def test_whole_numbers_below_black_or_of_more_than_16_bits_are_refused(self, tmp_path):
        save(tmp_path / "1.tif", np.array([[0, 70000]], np.int32))
        with pytest.raises(ValueError, match=r"1\.tif holds pixels up to 70000, more than 16"):
            load(tmp_path)
        assert load(tmp_path, white=70000).ravel().tolist() == [0, 255]
        save(tmp_path / "1.tif", np.array([[-1, 7]], np.int32))
        with pytest.raises(ValueError, match=r"1\.tif holds pixels from -1 to 7"):
            load(tmp_path)

    def test_signed_bytes_are_refused(self, tmp_path):
        (tmp_path / "1.tif").write_bytes(tiff(b"\x00\xff", 8, sample_format=2, size=(2, 1)))
        with pytest.raises(ValueError, match=r"1\.tif .*signed bytes"):
            load(tmp_path)

    @pytest.mark.parametrize(("dtype", "bits"), [("i2", 15), ("u2", 16), ("i4", 31), ("u4", 32)])
    def test_numbers_are_as_wide_as_the_file_says(self, tmp_path, dtype, bits):
        name = tmp_path / "1.tif"
        full = np.array([0, 2 ** (bits - 1), 2**bits - 1], dtype)
        kind = {"u": 1, "i": 2}[full.dtype.kind]

        def write(values):
            bits = 8 * values.itemsize
            name.write_bytes(tiff(values.tobytes(), bits, sample_format=kind, size=(3, 1)))

        write(full)
        with no_warning():
            assert load(tmp_path).ravel().tolist() == [0, 128, 255]
        write(np.array([0, 2000, 4095], dtype))
        with pytest.warns(UserWarning, match=rf"{bits} bits a pixel.* read as 12 bits"):
            assert load(tmp_path).ravel().tolist() == [0, 125, 255]
        assert load(tmp_path, white=8190).ravel().tolist() == [0, 62, 128]

    def test_between_16_bits_and_all_of_32_white_is_asked_for(self, tmp_path):
        raw = tiff(struct.pack("<2I", 0, 2**31 - 1), 32, size=(2, 1))
        (tmp_path / "1.tif").write_bytes(raw)
        with pytest.raises(ValueError, match=r"up to 2\.14748e\+09, more than 16 bits; give white"):
            load(tmp_path)
        assert load(tmp_path, white=2**31 - 1).ravel().tolist() == [0, 255]

    @pytest.mark.parametrize(
        ("bits", "kind", "options", "message"),
        [
            (64, 3, {}, r"floats of 64 bits .*BitsPerSample \[64\], SampleFormat \[3\]"),
            (16, 3, {}, "floats of 16 bits"),
            (64, 1, {}, "unsigned numbers of 64 bits"),
            (64, 2, {}, "signed numbers of 64 bits"),
            (10, 1, {}, "unsigned numbers of 10 bits"),
            (64, 6, {}, "complex floats of 64 bits"),
            (32, 5, {}, "complex whole numbers of 32 bits"),
            (8, 4, {}, "undefined values of 8 bits"),
            (32, 3, {"samples": 3, "photometric": 2}, "floats of 32 bits .*SamplesPerPixel 3"),
            (16, 1, {"samples": 3, "photometric": 8}, r"unsigned .*Interpretation 8"),
        ],
    )
    def test_of_a_tiff_that_pillow_does_not_open_it_is_said_what_it_holds(
        self, tmp_path, bits, kind, options, message
    ):
        raw = tiff(bytes(48), bits, sample_format=kind, size=(2, 1), **options)
        (tmp_path / "1.tif").write_bytes(raw)
        message = rf"1\.tif is not a readable image: it is a TIFF of {message}.*write them anew"
        with pytest.raises(ValueError, match=message):
            load(tmp_path)

    def test_so_it_is_of_a_compression_that_pillow_does_not_know(self, tmp_path):
        (tmp_path / "1.tif").write_bytes(tiff(bytes(2), 8, size=(2, 1), compression=50002))
        with pytest.raises(ValueError, match=r"is a TIFF of unsigned numbers.*Compression 50002"):
            load(tmp_path)

    def test_lab_is_read_in_colour(self, tmp_path):
        if not features.check("littlecms2"):
            pytest.skip("this Pillow does not convert LAB")
        raw = tiff(bytes([138, 81, 70, 255, 0, 0]), 8, photometric=8, samples=3, size=(2, 1))
        (tmp_path / "1.tif").write_bytes(raw)
        seen = load(tmp_path)[0, 0].astype(int)
        np.testing.assert_allclose(seen, [(255, 0, 0), (255, 255, 255)], atol=5)

    def test_a_bmp_of_16_bits_in_all_is_none_of_16_a_channel(self, tmp_path):
        grey = struct.pack("<2H", 0b00001_000010_00001, 0b00001_000010_00001)
        head = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0)
        head += struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
        raw = b"BM" + struct.pack("<IHHI", 14 + len(head) + 4, 0, 0, 14 + len(head)) + head + grey
        (tmp_path / "1.bmp").write_bytes(raw)
        assert load(tmp_path).ravel().tolist() == [8] * 6

    @pytest.mark.parametrize(("kind", "n"), [(2, 3), (4, 2), (6, 4)])
    def test_16_bits_a_channel_are_read_by_the_upper_8(self, tmp_path, kind, n):
        row = struct.pack(f">{2 * n}H", *[0x1234] * (n - 1), 0xFFFF, *[0xFFFF] * n)
        (tmp_path / "1.png").write_bytes(png(16, kind, [row]))
        with no_warning():
            data = load(tmp_path)
        assert data[0, 0, :, 0].tolist() == [0x12, 255]
        assert data.shape[3] == (1 if kind == 4 else 3)

    @pytest.mark.parametrize("compression", [1, 8])  # which Pillow leaves to libtiff
    def test_and_refused_where_these_hold_next_to_nothing(self, tmp_path, compression):
        row = struct.pack(">6H", 0, 100, 200, 300, 4000, 4095)
        (tmp_path / "1.png").write_bytes(png(16, 2, [row]))
        with pytest.raises(ValueError, match=r"1\.png .*nothing in it is above 4095"):
            load(tmp_path)
        assert load(tmp_path, white=65535).max() == 15
        with pytest.raises(ValueError, match="white is 65535, not 4095"):
            load(tmp_path, white=4095)
        (tmp_path / "1.png").unlink()
        row = struct.pack("<6H", 0, 100, 200, 300, 4000, 4095)
        row = zlib.compress(row) if compression == 8 else row
        raw = tiff(row, 16, photometric=2, samples=3, size=(2, 1), compression=compression)
        (tmp_path / "1.tif").write_bytes(raw)
        with pytest.raises(ValueError, match=r"1\.tif .*nothing in it is above 4095"):
            load(tmp_path)

    def test_a_dark_scan_of_16_bits_in_ink_is_no_dark_image(self, tmp_path):
        row = struct.pack("<8H", 0, 0, 0, 0xFFFF, 0, 0, 0, 0)
        (tmp_path / "1.tif").write_bytes(tiff(row, 16, photometric=5, samples=4, size=(2, 1)))
        assert load(tmp_path)[0, 0].tolist() == [[0, 0, 0], [255, 255, 255]]

    def test_resizing_comes_before_rounding(self, tmp_path):
        save(tmp_path / "1.png", np.tile(np.array([0, 0xFFFF], np.uint16), (4, 2)))
        assert load(tmp_path, size=(2, 2)).mean() == pytest.approx(127.5, abs=1)
        save(tmp_path / "1.png", np.full((4, 4), 0xFFFF, np.uint16))
        assert (load(tmp_path, size=(2, 2), channels=3) == 255).all()
        assert load(tmp_path, size=(2, 2), channels=3).shape == (1, 2, 2, 3)


class TestBytesOfAnotherWhite:
    @pytest.mark.parametrize("white", [1, 16, 100])
    @pytest.mark.parametrize("shape", [(16, 16), (16, 16, 3)])
    def test_a_dark_set_is_told_and_white_reads_it(self, tmp_path, white, shape):
        values = np.zeros((2, *shape), np.uint8)
        values[1, 3:9, 5] = white
        values[0, 2, 4] = white // 2
        for i, image in enumerate(values):
            save(tmp_path / f"{i}.png", image)
        message = rf"0\.png and 1 more: none above {white}, where 255 .*white={white},.*white=255"
        with pytest.warns(UserWarning, match=message):
            assert load(tmp_path).max() == white
        with no_warning():
            seen = load(tmp_path, white=white)
            assert load(tmp_path, white=255).max() == white
            assert load(tmp_path, white=4095).max() == white
        np.testing.assert_array_equal(seen.reshape(values.shape), np.rint(values * (255 / white)))
        with pytest.raises(ValueError, match=rf"1\.png holds pixels up to {white}, above white"):
            load(tmp_path, white=white - 0.5)

    def test_black_and_bright_sets_and_a_few_pixels_are_not_told_of(self, tmp_path):
        with no_warning():
            save(tmp_path / "1.png", np.full((15, 17), 9, np.uint8))
            assert (load(tmp_path) == 9).all()
            save(tmp_path / "1.png", np.zeros((16, 16), np.uint8))
            assert not load(tmp_path).any()
            save(tmp_path / "2.png", np.full((16, 16), 128, np.uint8))
            assert load(tmp_path).max() == 128

    @pytest.mark.parametrize(
        ("image", "high", "white"),
        [
            (np.full((16, 16), 20000, np.uint16), 20000, 65535),
            (np.full((16, 16), 0.25, np.float32), 0.25, 1),
        ],
    )
    def test_so_is_one_of_more_bits(self, tmp_path, image, high, white):
        save(tmp_path / "1.tif", image)
        with pytest.warns(UserWarning, match=rf"none above {high}, where {white} is white.*dark"):
            dark = load(tmp_path)
        with no_warning():
            np.testing.assert_array_equal(load(tmp_path, white=white), dark)
            assert (load(tmp_path, white=high) == 255).all()

    def test_resizing_and_turning_grey_come_after(self, tmp_path):
        save(tmp_path / "1.png", np.tile(np.array([0, 1], np.uint8), (8, 4)))
        assert load(tmp_path, size=(4, 4), white=1).mean() == pytest.approx(127.5, abs=1)
        save(tmp_path / "1.png", np.full((4, 4, 3), (1, 0, 0), np.uint8))
        assert (load(tmp_path, channels=1, white=1) == 76).all()


class TestPages:
    @pytest.mark.parametrize("suffix", ["tif", "gif", "png", "webp"])
    def test_a_file_of_several_warns_and_gives_the_first(self, tmp_path, suffix):
        first, *rest = [Image.fromarray(np.full((4, 4), grey, np.uint8)) for grey in (0, 100, 200)]
        options = {"lossless": True} if suffix == "webp" else {}
        for name in "12":
            first.save(tmp_path / f"{name}.{suffix}", save_all=True, append_images=rest, **options)
        with pytest.warns(UserWarning, match=rf"1\.{suffix} and 1 more: .*first alone") as caught:
            assert (load(tmp_path) == 0).all()
        assert len(caught) == 1

    def test_a_photo_with_its_preview_does_not(self, tmp_path):
        photo = Image.fromarray(np.full((8, 8, 3), 9, np.uint8))
        photo.save(tmp_path / "1.jpg", "MPO", save_all=True, append_images=[photo])
        with no_warning():
            assert load(tmp_path).shape == (1, 8, 8, 3)

    def test_channels_that_are_left_out_are_told(self, tmp_path):
        raw = tiff(bytes(range(8)), 8, photometric=2, samples=4, extra=(0,), size=(2, 1))
        (tmp_path / "1.tif").write_bytes(raw)
        with pytest.warns(UserWarning, match=r"1\.tif: holds more channels than are read"):
            assert load(tmp_path)[0, 0].tolist() == [[0, 1, 2], [4, 5, 6]]


class TestBrokenFiles:
    @pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "bmp", "webp", "ppm", "jp2"])
    def test_one_cut_short_is_named(self, tmp_path, suffix):
        noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        path = tmp_path / f"1.{suffix}"
        if suffix == "jp2" and not features.check("jpg_2000"):
            pytest.skip("this Pillow writes no JPEG 2000")
        save(path, noise)
        assert load(tmp_path).shape == (1, 60, 60, 3)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ValueError, match=rf"1\.{suffix} is not a readable image"):
            load(tmp_path)

    def test_a_decompression_bomb_is_refused(self, tmp_path, monkeypatch):
        save(tmp_path / "1.png", np.zeros((30, 30), np.uint8))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
        with pytest.raises(ValueError, match=r"1\.png .*decompression bomb"):
            load(tmp_path)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
        with pytest.warns(Image.DecompressionBombWarning):
            load(tmp_path)

    def test_a_png_with_a_text_that_unpacks_to_too_much_is_refused(self, tmp_path):
        text = b"key\0\0" + zlib.compress(bytes(2**21))
        (tmp_path / "1.png").write_bytes(png(8, 0, [[1, 2]], (b"zTXt", text)))
        with pytest.raises(ValueError, match=r"1\.png is not a readable image"):
            load(tmp_path)


class TestOptions:
    @pytest.mark.parametrize(
        "options", [{"white": 0}, {"white": np.nan}, {"background": 256}, {"background": -1}]
    )
    def test_bad_ones_are_named(self, tmp_path, options):
        name = next(iter(options))
        for read in (datasets.load_image_folder, datasets.load_images, datasets.load_frames):
            with pytest.raises(ValueError, match=f"{name}="):
                read(tmp_path, **options)

    def test_they_reach_the_files_by_every_way(self, tmp_path):
        for part in ("train", "test"):
            (tmp_path / part).mkdir()
            save(tmp_path / part / "1.png", np.array([[0, 100]], np.uint16))
        images = datasets.load_images(tmp_path, white=200)
        assert images.data.max() == images.test_data.max() == 128
        assert datasets.load_images(tmp_path / "test", white=200).data.max() == 128
        assert datasets.load_frames(tmp_path / "test", white=200).max() == 128

    def test_one_file_is_a_set_of_one(self, tmp_path):
        save(tmp_path / "1.png", np.array([[0, 100]], np.uint8))
        images = datasets.load_image_folder(tmp_path / "1.png")
        assert images.data.shape == (1, 1, 2, 1)
        assert images.files == [str(tmp_path / "1.png")]
        assert images.target is None
