"""``scrim process`` as a person calls it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from scrim.core.sinks.file import open_writer
from scrim.frame import Caps

REPOSITORY = Path(__file__).resolve().parents[2]
PORTRAIT = REPOSITORY / "daemon" / "scrim" / "core" / "capture" / "astronaut.png"
SMALL_MODEL = ("--set", "model.name=person-192x112", "--set", "model.form=float16")
TEAL_BGR = (128, 128, 0)


def read(path: Path, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), flags)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def portrait(folder: Path, size: tuple[int, int], name: str = "in.png") -> Path:
    """Somebody, at a size."""
    path = folder / name
    assert cv2.imwrite(
        str(path), cv2.resize(read(PORTRAIT, cv2.IMREAD_COLOR), size, interpolation=cv2.INTER_AREA)
    )
    return path


def clip(folder: Path, frames: int = 6, size: tuple[int, int] = (160, 120), name: str = "in.mkv") -> Path:
    """Somebody who moves to the right."""
    path = folder / name
    still = cv2.resize(read(PORTRAIT, cv2.IMREAD_COLOR), size, interpolation=cv2.INTER_AREA)
    with open_writer(path, Caps(*size, 10)) as write:
        for number in range(frames):
            write(np.ascontiguousarray(np.roll(still, 2 * number, axis=1)))
    return path


def frames_of(path: Path) -> NDArray[np.uint8]:
    video = cv2.VideoCapture(str(path))
    frames = []
    while True:
        is_there, frame = video.read()
        if not is_there:
            return np.array(frames, np.uint8)
        frames.append(frame)


def good(result: "subprocess.CompletedProcess[str]") -> None:
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def bad(result: "subprocess.CompletedProcess[str]", *words: str, status: int = 1) -> None:
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    assert "scrim: " in result.stderr
    for word in words:
        assert word in result.stderr


# What comes out.


@pytest.mark.parametrize("size", [(160, 120), (161, 121), (3, 5), (2, 2), (301, 40)])
def test_an_image_of_any_size_is_filtered_and_keeps_it(scrim, tmp_path: Path, size: tuple[int, int]):
    out, matte = tmp_path / "out.png", tmp_path / "matte.png"
    given = portrait(tmp_path, size)
    good(scrim("process", given, out, "--matte", matte, "--set", "effect=color", *SMALL_MODEL))
    assert read(out).shape == (size[1], size[0], 3)
    assert read(matte).shape == (size[1], size[0])


def test_the_person_stays_and_the_room_is_replaced(scrim, tmp_path: Path):
    out, matte = tmp_path / "out.png", tmp_path / "matte.png"
    given = portrait(tmp_path, (320, 240))
    settings = ("--set", "effect=color", "--set", "color=teal")
    good(scrim("process", given, out, "--matte", matte, *settings))
    picture, alpha, before = (read(path) for path in (out, matte, given))
    assert alpha.dtype == np.uint8
    assert 0.1 < (alpha == 255).mean() < 0.9
    room, person = (cv2.erode((alpha == value).astype(np.uint8), np.ones((5, 5))) > 0 for value in (0, 255))
    assert np.abs(picture[room].astype(int) - TEAL_BGR).max() <= 4
    # I420 halves the chroma: the person is the same but for that.
    assert np.abs(picture[person].astype(int) - before[person]).mean() < 8


def test_a_background_image_fills_the_room(scrim, tmp_path: Path):
    behind = tmp_path / "my office.png"
    cv2.imwrite(str(behind), np.full((90, 160, 3), (200, 40, 40), np.uint8))
    given, out, matte = portrait(tmp_path, (160, 120)), tmp_path / "out.png", tmp_path / "matte.png"
    good(scrim("process", given, out, "--background", behind, "--matte", matte, *SMALL_MODEL))
    room = cv2.erode((read(matte) == 0).astype(np.uint8), np.ones((5, 5))) > 0
    assert room.any()
    assert np.abs(read(out)[room].astype(int) - (200, 40, 40)).max() <= 4


def test_settings_change_the_picture_and_twice_the_same_is_the_same(scrim, tmp_path: Path):
    given = portrait(tmp_path, (160, 120))
    results = []
    for number, strength in enumerate(("low", "high", "high")):
        out = tmp_path / f"{number}.png"
        good(scrim("process", given, out, "--set", f"strength={strength}", *SMALL_MODEL))
        results.append(out.read_bytes())
    assert results[0] != results[1]
    assert results[1] == results[2]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".PNG"])
def test_other_image_formats(scrim, tmp_path: Path, suffix: str):
    given = portrait(tmp_path, (64, 48), "in" + suffix)
    out = tmp_path / ("out" + suffix)
    good(scrim("process", given, out, *SMALL_MODEL))
    assert read(out).shape == (48, 64, 3)


def test_each_image_of_a_folder_stands_for_itself(scrim, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    portrait(folder, (160, 120), "a.png")
    cv2.imwrite(str(folder / "b.png"), read(folder / "a.png")[:, ::-1])
    portrait(folder, (121, 161), "c.png")
    shutil.copy(folder / "a.png", folder / "d.png")
    (folder / "notes.txt").write_text("no image")
    out, mattes = tmp_path / "out", tmp_path / "deep" / "mattes"
    good(scrim("process", folder, out, "--matte", mattes, *SMALL_MODEL))
    names = ["a.png", "b.png", "c.png", "d.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert sorted(path.name for path in mattes.iterdir()) == names
    for name in names:
        alone, matte = tmp_path / f"alone-{name}", tmp_path / f"matte-{name}"
        good(scrim("process", folder / name, alone, "--matte", matte, *SMALL_MODEL))
        assert (out / name).read_bytes() == alone.read_bytes()
        assert (mattes / name).read_bytes() == matte.read_bytes()


def test_a_clip_is_filtered_frame_by_frame_and_the_same_way_twice(scrim, tmp_path: Path):
    given = clip(tmp_path)
    results = []
    for number in range(2):
        out, matte = tmp_path / f"out{number}.mkv", tmp_path / f"matte{number}.mkv"
        good(scrim("process", given, out, "--matte", matte, "--set", "effect=color", *SMALL_MODEL))
        results.append((frames_of(out), frames_of(matte)))
    (picture, matte_frames), again = results
    assert picture.shape == matte_frames.shape == (6, 120, 160, 3)
    assert np.array_equal(picture, again[0])
    assert np.array_equal(matte_frames, again[1])
    assert 0.05 < (matte_frames > 127).mean() < 0.95
    assert picture[:, 2, 2].max() <= 30


def test_a_clip_becomes_an_mp4_too_and_odd_sizes_lose_their_last_row(scrim, tmp_path: Path):
    out = tmp_path / "out.mp4"
    good(scrim("process", clip(tmp_path), out, "--quiet", *SMALL_MODEL))
    assert frames_of(out).shape == (6, 120, 160, 3)


def second_look(how: str) -> tuple[str, str]:
    return "--set", f"matte.second_look={how}"


def test_stills_are_looked_at_six_times_unless_told_otherwise(scrim, tmp_path: Path):
    given = portrait(tmp_path, (320, 240))
    mattes = {}
    for how in ("default", "stills", "always", "off"):
        matte = tmp_path / f"{how}.png"
        chosen = () if how == "default" else second_look(how)
        good(scrim("process", given, tmp_path / "out.png", "--matte", matte, *chosen, *SMALL_MODEL))
        mattes[how] = matte.read_bytes()
    assert mattes["default"] == mattes["stills"] == mattes["always"]
    assert mattes["default"] != mattes["off"]


def test_a_clip_is_looked_at_twice_only_when_told(scrim, tmp_path: Path):
    given = clip(tmp_path, 3, (320, 240))
    mattes = {}
    for how in ("stills", "off", "always"):
        matte = tmp_path / f"{how}.mkv"
        good(scrim("process", given, tmp_path / "o.mkv", "--matte", matte, *second_look(how), *SMALL_MODEL))
        mattes[how] = frames_of(matte)
    assert np.array_equal(mattes["stills"], mattes["off"])
    assert not np.array_equal(mattes["always"], mattes["off"])


def test_a_clip_with_nobody_in_it_becomes_the_placeholder(scrim, tmp_path: Path):
    given = tmp_path / "empty.mkv"
    with open_writer(given, Caps(160, 120, 10)) as write:
        for _ in range(60):
            write(np.full((120, 160, 3), 90, np.uint8))
    nobody = ("--set", "person.nobody=placeholder", "--set", "person.placeholder_after_s=4")
    out = tmp_path / "out.mkv"
    good(scrim("process", given, out, "--set", "effect=color", *nobody, *SMALL_MODEL))
    frames = frames_of(out)
    assert len(frames) == 60
    is_black = [frame.max() <= 30 for frame in frames]
    assert is_black == [number < 40 for number in range(60)]


def test_a_clip_is_framed_when_told_and_keeps_its_size(scrim, tmp_path: Path):
    still = cv2.resize(read(PORTRAIT, cv2.IMREAD_COLOR), (160, 160), interpolation=cv2.INTER_AREA)
    given = tmp_path / "small person.mkv"
    with open_writer(given, Caps(320, 240, 10)) as write:
        picture = np.full((240, 320, 3), 90, np.uint8)
        picture[80:, 40:200] = still
        for _ in range(30):
            write(picture)
    shares = {}
    for is_framed in (False, True):
        out, matte = tmp_path / f"{is_framed}.mkv", tmp_path / f"matte-{is_framed}.mkv"
        framing = ("--set", f"framing.is_enabled={str(is_framed).lower()}", "--set", "framing.max_zoom=2")
        good(scrim("process", given, out, "--matte", matte, *framing, *SMALL_MODEL))
        assert frames_of(out).shape == (30, 240, 320, 3)
        shares[is_framed] = (frames_of(matte) > 127).mean(axis=(1, 2, 3))
    assert shares[True][0] == shares[False][0] > 0
    assert 1.3 * shares[False][-1] < shares[True][-1] < 4.4 * shares[False][-1]


# What goes wrong.


def test_a_missing_file(scrim, tmp_path: Path):
    for name in ("none.png", "none.mp4", "none"):
        bad(scrim("process", tmp_path / name, tmp_path / "out.png", *SMALL_MODEL), name, "no such file")


def test_a_broken_video(scrim, tmp_path: Path):
    for name, content in (("garbage.mp4", b"\x00garbage" * 500), ("empty.mkv", b""), ("text.txt", b"hello")):
        (tmp_path / name).write_bytes(content)
        bad(scrim("process", tmp_path / name, tmp_path / "out.mp4", *SMALL_MODEL), name)
        assert not (tmp_path / "out.mp4").exists()


def test_a_video_that_breaks_off_gives_what_there_is(scrim, tmp_path: Path):
    given = clip(tmp_path, frames=20, name="whole.avi")
    data = given.read_bytes()
    (tmp_path / "half.avi").write_bytes(data[: len(data) // 2])
    result = scrim("process", tmp_path / "half.avi", tmp_path / "out.mkv", *SMALL_MODEL)
    good(result)
    assert 1 <= len(frames_of(tmp_path / "out.mkv")) < 20


def test_a_broken_image(scrim, tmp_path: Path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    bad(scrim("process", tmp_path / "x.png", tmp_path / "out.png", *SMALL_MODEL), "x.png")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("given", "out", "word"),
    [
        ("in.png", "out.gif", ".webp"),
        ("in.png", "out", ".webp"),
        ("in.mkv", "out.mov", ".mkv"),
        ("in.mkv", "out", ".mkv"),
    ],
)
def test_an_output_of_another_kind(scrim, tmp_path: Path, given: str, out: str, word: str):
    portrait(tmp_path, (64, 48))
    clip(tmp_path, 2)
    bad(scrim("process", tmp_path / given, tmp_path / out, *SMALL_MODEL), out, word)


def test_places_that_cannot_be_written(scrim, tmp_path: Path):
    given, video = portrait(tmp_path, (64, 48)), clip(tmp_path, 2)
    for source, name in ((given, "none/out.png"), (video, "none/out.mkv"), (tmp_path, "in.png")):
        bad(scrim("process", source, tmp_path / name, *SMALL_MODEL), name)
    bad(
        scrim("process", given, tmp_path / "o.png", "--matte", tmp_path / "no/m.png", *SMALL_MODEL),
        "no/m.png",
    )


def test_the_input_is_never_written_over(scrim, tmp_path: Path):
    given, video = portrait(tmp_path, (64, 48)), clip(tmp_path, 2)
    before = [given.read_bytes(), video.read_bytes()]
    for path in (given, video, tmp_path):
        bad(scrim("process", path, path, *SMALL_MODEL), "written over")
    bad(
        scrim("process", given, tmp_path / "o.png", "--matte", tmp_path / "o.png", *SMALL_MODEL),
        "written over",
    )
    assert [given.read_bytes(), video.read_bytes()] == before


def test_a_broken_image_of_a_folder_is_named_and_the_others_are_made(scrim, tmp_path: Path):
    folder, out, mattes = (tmp_path / name for name in ("in", "out", "mattes"))
    folder.mkdir()
    for name in ("a.png", "c.png", "e.png"):
        portrait(folder, (160, 120), name)
    (folder / "b.png").write_bytes(b"no picture")
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes()[:2000])
    done = scrim("process", folder, out, "--matte", mattes, *SMALL_MODEL)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for name in ("b.png", "d.png"):
        assert f"{folder / name}: " in done.stderr
    assert done.stderr.count("it was left out") == 2
    for made in (out, mattes):
        assert sorted(path.name for path in made.iterdir()) == ["a.png", "c.png", "e.png"]
    alone = scrim("process", folder / "b.png", tmp_path / "b.png", *SMALL_MODEL)
    assert (alone.returncode, (tmp_path / "b.png").exists()) == (1, False)


def test_a_folder_without_images(scrim, tmp_path: Path):
    (tmp_path / "in").mkdir()
    bad(scrim("process", tmp_path / "in", tmp_path / "out", *SMALL_MODEL), "0 pictures", ".webp")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_may_not_be_read(scrim_environment: dict[str, str], tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    portrait(folder, (64, 48))
    folder.chmod(0o000)
    command = [sys.executable, "-m", "scrim", "process", str(folder), str(tmp_path / "out"), *SMALL_MODEL]
    if os.geteuid() == 0:
        # Root may read everything; without its capabilities it may not.
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may read every folder, and setpriv is not here to give that up")
        command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *command]
    result = subprocess.run(command, env=scrim_environment, capture_output=True, text=True, check=False)
    folder.chmod(0o700)
    bad(result, str(folder), "ermission denied")


def test_a_background_that_is_none(scrim, tmp_path: Path):
    given = portrait(tmp_path, (64, 48))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    for name in ("none.png", "broken.jpg", "in"):
        bad(
            scrim("process", given, tmp_path / "out.png", "--background", tmp_path / name, *SMALL_MODEL), name
        )


def test_no_effect_is_nothing_to_do(scrim, tmp_path: Path):
    given = portrait(tmp_path, (64, 48))
    bad(scrim("process", given, tmp_path / "out.png", "--set", "effect=off"), "nothing to do", status=78)
    assert not (tmp_path / "out.png").exists()


TEN_MISTAKES = """
sinks = ["printer:"]
[camera]
width = 641
heigth = 480
frame_rate = 0
[model]
form = "int4"
threads = -1
[background_blur]
strength = "ultra"
[background_replacement]
default_color = "transparent"
fit = "tile"
[web]
port = 99999
"""


def test_a_settings_file_with_ten_mistakes_lists_all_ten(scrim, tmp_path: Path):
    settings = tmp_path / "ten.toml"
    settings.write_text(TEN_MISTAKES)
    for command in (
        ("process", "a.png", "b.png", "--config"),
        ("check-config",),
        ("show-config", "--config"),
    ):
        result = scrim(*command, settings)
        bad(result, "ten.toml: 10 problems", "did you mean height?", "'ultra'", status=78)
        assert result.stderr.count("(allowed: ") == 10


def test_wrong_assignments_are_listed_together(scrim, tmp_path: Path):
    result = scrim("process", "a.png", "b.png", "--set", "strength=0", "--set", "color=transparent")
    bad(result, "2 problems", "background_blur.strength", "default_color", status=78)


def models_with(folder: Path, old: str, new: str) -> Path:
    """A folder with one model whose TOML says something else than its file."""
    folder = folder / "models"
    folder.mkdir()
    for suffix in (".toml", ".tflite"):
        shutil.copy(REPOSITORY / "models" / f"person-192x112-int8{suffix}", folder)
    spec = folder / "person-192x112-int8.toml"
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))
    return folder


def test_a_model_whose_shape_is_not_what_its_toml_says(scrim, tmp_path: Path):
    given = portrait(tmp_path, (64, 48))
    models = models_with(tmp_path, "width = 192", "width = 200")
    for form in ("int8", "auto"):
        result = scrim(
            *("process", given, tmp_path / "out.png"),
            *("--set", "model.name=person-192x112", "--set", f"model.form={form}"),
            SCRIM_MODELS=str(models),
        )
        bad(result, "200", "192", "person-192x112", status=78)


def test_a_model_that_is_damaged_or_not_there(scrim, tmp_path: Path):
    given = portrait(tmp_path, (64, 48))
    models = models_with(tmp_path, "int8", "int8")
    model = ("--set", "model.name=person-192x112", "--set", "model.form=int8")
    bad(
        scrim("process", given, tmp_path / "o.png", *model[:1], "model.name=nobody"),
        "person-256x144",
        status=78,
    )
    bad(scrim("process", given, tmp_path / "o.png", SCRIM_MODELS=str(models)), "person-256x144", status=78)
    data = bytearray((models / "person-192x112-int8.tflite").read_bytes())
    data[1000] ^= 1
    (models / "person-192x112-int8.tflite").write_bytes(data)
    bad(scrim("process", given, tmp_path / "o.png", *model, SCRIM_MODELS=str(models)), "sha256", status=78)
