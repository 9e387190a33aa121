"""The library of backgrounds: what is kept of a picture, what is refused, and what survives a power cut."""

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import scrim.decode
import scrim.gateway.shelf
from scrim.decode import memory_file
from scrim.decode_child import KEPT_SIDE_PX, THUMB_PX
from scrim.errors import ImageError
from scrim.gateway.images import Encoded
from scrim.gateway.shelf import Shelf, ShelfFirst, Shelved, title_of
from scrim.image_header import MAX_IMAGE_BYTES, image_size
from scrim.image_url import fault_of
from scrim.recompress import recompress

SECRET = b"GPS 47.3769 N 8.5417 E"


def image(number: int = 0, suffix: str = ".png", size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of one grey."""
    return cv2.imencode(suffix, np.full((size[1], size[0], 3), 40 + number, np.uint8))[1].tobytes()


def jpeg_with(comment: bytes) -> bytes:
    plain = image(suffix=".jpg")
    return plain[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + plain[2:]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Empty, with nothing shipped."""
    return Shelf(tmp_path / "state" / "library", tmp_path / "shipped")


def add(shelf: Shelf, data: bytes, name: str = "room.png") -> Shelved:
    with Encoded(memory_file("test", data)) as encoded:
        return shelf.add(encoded, name)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What is kept


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_every_kind_becomes_a_jpeg_and_a_small_one(shelf: Shelf, suffix: str) -> None:
    picture = add(shelf, image(suffix=suffix), f"Mein Büro{suffix}")
    assert (picture.title, picture.is_shipped) == ("Mein Büro", False)
    assert picture.id == f"mein-buro-{picture.digest}"
    assert fault_of(picture.url) is None
    assert image_size(picture.path.read_bytes()) == (64, 48)
    thumb = shelf.thumb(picture.id)
    assert thumb is not None
    assert image_size(thumb) == THUMB_PX
    assert picture.path.stat().st_mode & 0o077 == 0
    assert shelf.pictures() == [picture]


def test_nothing_but_the_picture_is_kept(shelf: Shelf) -> None:
    picture = add(shelf, jpeg_with(SECRET) + SECRET)
    assert SECRET not in picture.path.read_bytes()
    assert SECRET not in picture.thumb.read_bytes()
    assert len(shelf.pictures()) == 1


def test_a_large_picture_is_kept_as_large_as_any_camera_needs_it(shelf: Shelf) -> None:
    picture = add(shelf, image(size=(4096, 2048), suffix=".jpg"))
    assert image_size(picture.path.read_bytes()) == (KEPT_SIDE_PX, KEPT_SIDE_PX // 2)


def test_a_picture_that_jpeg_cannot_shrink_stays_below_the_limit(shelf: Shelf) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (2000, 2000, 3), np.uint8)
    data = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    assert len(data) < MAX_IMAGE_BYTES
    assert add(shelf, data).size_bytes < MAX_IMAGE_BYTES


def test_the_small_one_shows_the_middle_of_any_shape(shelf: Shelf) -> None:
    for width, height in ((4000, 10), (10, 4000), (1, 1)):
        picture = add(shelf, image(width % 7, size=(width, height)))
        thumb = shelf.thumb(picture.id)
        assert thumb is not None
        assert image_size(thumb) == THUMB_PX


def test_the_same_picture_is_kept_once(shelf: Shelf) -> None:
    first = add(shelf, image(1), "a.png")
    assert add(shelf, image(1), "b.png") == first
    assert [picture.id for picture in shelf.pictures()] == [first.id]


def test_another_picture_of_the_same_name_has_another_id(shelf: Shelf) -> None:
    first, second = add(shelf, image(1), "a.png"), add(shelf, image(2), "a.png")
    assert first.title == second.title == "a"
    assert first.id != second.id


def test_what_is_kept_is_there_after_a_restart(shelf: Shelf, tmp_path: Path) -> None:
    picture = add(shelf, image())
    again = Shelf(tmp_path / "state" / "library", tmp_path / "shipped")
    again.sweep()
    assert again.pictures() == [picture]
    assert again.thumb(picture.id) == shelf.thumb(picture.id)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("room.jpg", "room"),
        ("IMG_2034.JPEG", "IMG 2034"),
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\beach.webp", "beach"),
        ("https://example.org/a/sea%20side.png?x=1#y", "sea side"),
        ("", "Picture"),
        ("/", "Picture"),
        ("...", "Picture"),
        (".hidden.png", "hidden"),
        ("a\0b\nc\x1b[31m", "a b c [31m"),
        ("x" * 500, "x" * 48),
        ("\ud800", "Picture"),
        ("🏖" * 100, "🏖" * 48),
    ],
)
def test_a_title_is_made_of_any_name(shelf: Shelf, name: str, title: str) -> None:
    assert title_of(name) == title
    picture = add(shelf, image(), name)
    assert picture.title == title
    assert shelf.get(picture.id) == picture
    assert fault_of(picture.url) is None


# What is refused


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
        (b"GIF89a" + bytes(100), "is not an image"),
        (image()[:60], "broken"),
        (bytes(MAX_IMAGE_BYTES + 1), "larger than 8 MiB"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (20_000).to_bytes(4, "big") * 2 + bytes(9), "20000 x 20000"),
    ],
    ids=["nothing", "svg", "gif", "cut off", "long", "bomb"],
)
def test_what_is_no_image_that_fits_is_refused_and_nothing_is_left(
    shelf: Shelf, tmp_path: Path, data: bytes, said: str
) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        add(shelf, data, "holiday.png")
    assert str(caught.value).startswith("holiday: ")
    assert files(tmp_path) == []


def test_too_many_and_too_much_are_refused(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrim.gateway.shelf, "MOST_PICTURES", 2)
    kept = [add(shelf, image(number)) for number in range(2)]
    with pytest.raises(ImageError, match="allowed are 2 pictures; remove one"):
        add(shelf, image(3))
    shelf.remove(kept[0].id)
    monkeypatch.setattr(scrim.gateway.shelf, "MOST_BYTES", kept[1].size_bytes + 1)
    with pytest.raises(ImageError, match="library is full"):
        add(shelf, image(3))
    assert shelf.pictures() == [kept[1]]


def test_a_full_card_is_left_alone(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrim.gateway.shelf, "LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(ImageError, match="nearly full"):
        add(shelf, image())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="file"):
        add(Shelf(tmp_path / "file" / "library", tmp_path), image())


def test_who_has_gone_ends_the_child_early(shelf: Shelf) -> None:
    has_gone = threading.Event()
    has_gone.set()
    with (
        Encoded(memory_file("test", image())) as encoded,
        pytest.raises(ImageError, match="not wanted any more"),
    ):
        shelf.add(encoded, "x", has_gone.is_set)


def lying_child(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrim.decode, "_CHILD", [sys.executable, "-c", code])


@pytest.mark.parametrize(
    "code",
    [
        "print('done 64 48')",
        "import os,sys; os.write(int(sys.argv[2]), b'MZ' * 999); print('done 64 48')",
        f"import os,sys; os.write(int(sys.argv[2]), {image(suffix='.jpg')!r}); print('done 64 48')",
        "import os,sys; [os.ftruncate(int(fd), 1 << 40) for fd in sys.argv[2:]]; print('done 64 48')",
    ],
    ids=["nothing", "no jpeg", "no thumb", "endless"],
)
def test_a_child_that_was_taken_over_is_not_believed(
    shelf: Shelf, tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying_child(code, monkeypatch)
    with pytest.raises(ImageError, match="broken"):
        add(shelf, image())
    assert files(tmp_path) == []


def test_the_child_s_results_are_bounded() -> None:
    code = (
        "import os, signal, sys; from scrim import decode_child as child;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); most = child.MAX_RESULT_BYTES;"
        "child.decode = lambda data, results: str(os.pwrite(results[0], b'xx', most - 1));"
        "child.main()"
    )
    source, result = memory_file("test", image()), memory_file("test")
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(result)],
        pass_fds=(source, result),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"1"
    for handle in (source, result):
        os.close(handle)


# Removing


def test_a_picture_is_removed_with_its_small_one(shelf: Shelf, tmp_path: Path) -> None:
    picture = add(shelf, image())
    shelf.remove(picture.id)
    assert files(tmp_path) == []
    assert shelf.thumb(picture.id) is None
    with pytest.raises(ImageError, match="no such picture"):
        shelf.remove(picture.id)


def test_what_came_with_scrim_stays(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    picture = add(Shelf(shipped, tmp_path / "none"), image(), "Studio")
    shelf = Shelf(tmp_path / "library", shipped)
    (found,) = shelf.pictures()
    assert found.is_shipped
    with pytest.raises(ImageError, match="Studio: came with scrim"):
        shelf.remove(found.id)
    assert shelf.thumb(picture.id)


# The files themselves


def test_files_that_are_not_ours_are_neither_listed_nor_touched(shelf: Shelf, tmp_path: Path) -> None:
    picture = add(shelf, image())
    folder = picture.path.parent
    (folder / "notes.txt").write_text("mine")
    (folder / "cat.jpg").write_bytes(image(suffix=".jpg"))
    (folder / "link.000000000000.jpg").symlink_to("/etc/passwd")
    (folder / "folder.000000000000.jpg").mkdir()
    shelf.sweep()
    assert shelf.pictures() == [picture]
    assert {"notes.txt", "cat.jpg"} <= {path.name for path in folder.iterdir()}


def test_what_a_power_cut_left_is_swept_away(shelf: Shelf) -> None:
    picture = add(shelf, image())
    folder = picture.path.parent
    (folder / "room.aaaaaaaaaaaa.jpg.part").write_bytes(b"half")
    (folder / "thumbs" / "bbbbbbbbbbbb.jpg").write_bytes(b"of a picture that never came")
    shelf.sweep()
    assert files(folder) == [picture.path.name, f"thumbs/{picture.digest}.jpg"]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("name", ["sendfile", "fsync"])
def test_a_picture_is_there_whole_or_not_at_all(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Whatever call fails: there is the picture with its small one, or none, and it can be added again."""
    real, calls = getattr(os, name), itertools.count()

    def failing(*arguments: object) -> object:
        if next(calls) == number:
            raise OSError(28, "no space left")
        return real(*arguments)

    with monkeypatch.context() as patch, contextlib.suppress(ImageError):
        patch.setattr(scrim.gateway.shelf.os, name, failing)
        add(shelf, image())
    assert all(shelf.thumb(picture.id) for picture in shelf.pictures())
    picture = add(shelf, image())
    assert shelf.pictures() == [picture]
    assert shelf.thumb(picture.id)


# Handing over


def test_the_core_gets_what_the_settings_name(shelf: Shelf) -> None:
    class Others:
        async def fetch(self, url: str) -> Encoded:
            raise ImageError(f"{url}: is from elsewhere")

    picture = add(shelf, image())
    fetcher = ShelfFirst(shelf, Others())
    with asyncio.run(fetcher.fetch(picture.url)) as encoded:
        assert os.pread(encoded.fd, MAX_IMAGE_BYTES, 0) == picture.path.read_bytes()
        assert encoded.sha256.startswith(picture.digest)
    with pytest.raises(ImageError, match="is from elsewhere"):
        asyncio.run(fetcher.fetch("https://example.org/x.png"))
    for wrong in ("library:nothing-000000000000", "library:../../etc/passwd", "library:"):
        with pytest.raises(ImageError, match="no such picture in the library"):
            asyncio.run(fetcher.fetch(wrong))


@pytest.mark.parametrize(
    "url", ["library:", "library:A", "library:a/b", "library:../x", "library:-a", "library:a b", "library:ä"]
)
def test_a_url_that_names_no_id_is_refused_by_the_settings(url: str) -> None:
    assert fault_of(url) == "is no id of the library"


def test_recompressing_takes_no_longer_than_it_may() -> None:
    began_s = time.monotonic()
    handle = memory_file("test", image())
    with pytest.raises(ImageError, match="takes too long"):
        recompress(handle, "x", timeout_s=0.0)
    os.close(handle)
    assert time.monotonic() - began_s < 60
