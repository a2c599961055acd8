"""Animations and pages come frame by frame, with their delays and loops."""

from __future__ import annotations

import numpy as np
import pytest
from picture_files import noise, opened, several, tiff
from PIL import Image, ImageSequence

from upres.errors import PictureTooLarge, UnreadablePicture, UnsupportedPicture
from upres.image.decode import Decoder
from upres.image.formats import FORMATS, check_holds
from upres.image.limits import Limits
from upres.image.picture import Animation, Format


def stills(count: int, size: tuple[int, int] = (24, 18)) -> list[Image.Image]:
    """Return flat pictures of different colours with a square that moves."""
    frames = []
    for index in range(count):
        frame = Image.new("RGB", size, (20 * index, 255 - 20 * index, 128))
        frame.paste((255, 255, 255), (index, index, index + 5, index + 5))
        frames.append(frame)
    return frames


def decoded(data: bytes) -> list[np.ndarray]:
    """Return each frame's rows."""
    return [np.concatenate(list(frame)) for frame in Decoder(data).frames()]


class TestAnimations:
    """GIF and WebP."""

    @pytest.mark.parametrize("kind", ["gif", "webp"])
    @pytest.mark.parametrize("loop", [None, 0, 1, 2, 5])
    def test_delays_and_loops(self, kind: str, loop: int | None) -> None:
        """Loops are how often it is shown: a GIF states repetitions, WebP showings."""
        options = {} if loop is None else {"loop": loop}
        data = several(stills(4), kind, duration=[20, 10, 40, 1500], **options)
        if kind == "gif":
            control = data.index(b"\x21\xf9\x04")
            data = data[: control + 4] + b"\x00\x00" + data[control + 6 :]
        header = Decoder(data).header
        shown = {"gif": 1 if loop is None else loop + bool(loop), "webp": loop or 0}[kind]
        first = 0 if kind == "gif" else 20
        expected = Animation(delays_ms=(first, 10, 40, 1500), loop=shown)
        assert (header.frames, header.width, header.height) == (4, 24, 18)
        assert header.animation == expected
        assert header.pixels == 4 * 24 * 18

    def test_webp_frames_are_exact(self) -> None:
        """Each is the whole picture at its time."""
        frames = stills(5)
        rows = decoded(several(frames, "webp", lossless=True))
        assert len(rows) == 5
        for frame, expected in zip(rows, frames, strict=True):
            np.testing.assert_array_equal(frame[..., :3], np.asarray(expected))

    @pytest.mark.parametrize("disposal", [0, 1, 2])
    @pytest.mark.parametrize("transparent", [False, True])
    def test_gif_frames_are_composed(self, disposal: int, *, transparent: bool) -> None:
        """As Pillow composes them, whatever is left of the frame before."""
        frames = [frame.convert("RGBA") for frame in stills(4)]
        for frame in frames:
            if transparent:
                ramp = Image.linear_gradient("L").resize(frame.size)
                frame.putalpha(ramp.point([0] * 128 + [255] * 128))
        data = several(frames, "gif", disposal=disposal, duration=50)
        with opened(data) as image:
            expected = [np.asarray(one.convert("RGBA")) for one in ImageSequence.Iterator(image)]
        rows = decoded(data)
        assert len(rows) == len(expected)
        for shown, wanted in zip(rows, expected, strict=True):
            seen = wanted[..., 3] > 0
            np.testing.assert_array_equal(shown[seen][:, :3], wanted[seen][:, :3])
            if shown.shape[2] == 4:
                np.testing.assert_array_equal(shown[..., 3], wanted[..., 3])
            else:
                assert (wanted[..., 3] == 255).all()

    @pytest.mark.parametrize("kind", ["gif", "webp"])
    def test_one_frame_is_a_still(self, kind: str) -> None:
        """No animation, and `picture` reads it."""
        decoder = Decoder(several(stills(1), kind, duration=100))
        assert (decoder.header.frames, decoder.header.animation) == (1, None)
        assert decoder.picture().pixels.shape == (18, 24, 3)

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
    @pytest.mark.parametrize("kind", ["gif", "webp"])
    def test_missing_frames_are_noticed(self, kind: str, share: float) -> None:
        """Libvips would show those that are there."""
        frames = [Image.fromarray(noise(20, 20, 3) // part) for part in range(1, 6)]
        data = several(frames, kind)
        with pytest.raises(UnreadablePicture):
            decoded(data[: int(len(data) * share)])

    def test_a_missing_end_mark_is_harmless(self) -> None:
        """All frames are there; it is said."""
        data = several(stills(3), "gif")
        decoder = Decoder(data[:-1])
        assert decoder.header.frames == 3
        assert decoder.warnings == ["its end mark is missing"]

    def test_frames_count_against_the_limits(self) -> None:
        """Their number, and their pixels together."""
        header = Decoder(several(stills(6), "gif")).header
        Limits(frames=6, input_pixels=6 * 24 * 18).check_input(header, name="a.gif")
        with pytest.raises(PictureTooLarge, match=r"a\.gif .* 6 frames, the limit is 5"):
            Limits(frames=5).check_input(header, name="a.gif")
        with pytest.raises(PictureTooLarge, match="2592 pixels"):
            Limits(input_pixels=6 * 24 * 18 - 1).check_input(header, name="a.gif")
        with pytest.raises(PictureTooLarge, match="result of 6 frames of 100x100 would have 60000"):
            Limits(output_pixels=59_999).check_output(width=100, height=100, frames=6, name="a.gif")

    def test_formats_that_hold_it(self) -> None:
        """The others say which would."""
        header = Decoder(several(stills(3), "gif")).header
        held: tuple[Format, ...] = ("gif", "webp")
        for kind in held:
            check_holds(kind, header, name="a.gif")
        for kind in set(FORMATS) - set(held):
            with pytest.raises(UnsupportedPicture, match=r"3 frames.*--format webp or gif"):
                check_holds(kind, header, name="a.gif")


class TestPages:
    """Multi-page TIFF."""

    def test_every_page(self) -> None:
        """In order, of one size; no animation."""
        pages = [noise(300, 40, 3) // part for part in (1, 2, 3)]
        for big in (False, True):
            data = tiff(pages, big=big)
            header = Decoder(data).header
            assert (header.frames, header.animation, header.height) == (3, None, 300)
            for rows, page in zip(decoded(data), pages, strict=True):
                np.testing.assert_array_equal(rows, page)

    def test_turned_pages(self) -> None:
        """Each is turned on its own."""
        pages = [noise(30, 20, 3) // part for part in (1, 2)]
        rows = decoded(tiff(pages, tags={274: 6}))
        for row, page in zip(rows, pages, strict=True):
            np.testing.assert_array_equal(row, np.rot90(page, -1))

    def test_pages_that_differ_are_refused(self) -> None:
        """The text names the page and both sizes."""
        with pytest.raises(UnsupportedPicture, match="page 2 is 30x20, page 1 is 40x20"):
            Decoder(tiff([noise(20, 40, 3), noise(20, 30, 3)]))
        data = several([Image.new("RGB", (9, 9)), Image.new("L", (9, 9))], "tiff")
        with pytest.raises(UnsupportedPicture, match="page 2 is of another kind"):
            Decoder(data)

    def test_smaller_copies_behind_the_picture_are_left_out(self) -> None:
        """As pyramids have them."""
        large = Image.fromarray(noise(40, 60, 3))
        image = libvips_pyramid(large)
        header = Decoder(image).header
        assert (header.frames, header.width, header.height) == (1, 600, 400)

    def test_a_circle_of_pages_ends(self) -> None:
        """The last directory leads back to the first."""
        data = bytearray(tiff([noise(4, 4, 3)]))
        first = int.from_bytes(data[4:8], "big")
        entries = int.from_bytes(data[first : first + 2], "big")
        data[first + 2 + 12 * entries : first + 6 + 12 * entries] = data[4:8]
        with pytest.raises((UnreadablePicture, PictureTooLarge)):
            Decoder(bytes(data))

    def test_formats_that_hold_them(self) -> None:
        """TIFF alone."""
        header = Decoder(tiff([noise(4, 4, 3), noise(4, 4, 3)])).header
        check_holds("tiff", header, name="a.tif")
        for kind in set(FORMATS) - {"tiff"}:
            with pytest.raises(UnsupportedPicture, match=r"2 pages.*--format tiff"):
                check_holds(kind, header, name="a.tif")


def libvips_pyramid(image: Image.Image) -> bytes:
    """Return a TIFF with smaller and smaller copies behind the picture."""
    from upres.image.vips import libvips

    large = image.resize((600, 400))
    vips = libvips().Image.new_from_memory(large.tobytes(), 600, 400, 3, "uchar")
    data = vips.copy(interpretation="srgb").tiffsave_buffer(
        pyramid=True, tile=True, tile_width=64, tile_height=64
    )
    assert isinstance(data, bytes)
    return data
