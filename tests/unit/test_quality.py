"""scripts/quality: the figures mean what they say, and footage of one's own goes in."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "scripts"))

from quality_measure import cli, goals, keyed, matting, measure, metrics, rooms  # noqa: E402

MODEL = "person-192x112-f16"


def square(left: int, side: int = 60) -> metrics.Alpha:
    alpha = np.zeros((144, 256), np.float32)
    alpha[40 : 40 + side, left : left + side] = 1
    return alpha


def portrait(folder: Path, name: str, size: tuple[int, int]) -> None:
    """A drawn person before a grey wall, and the true mask."""
    width, height = size
    truth = np.zeros((height, width), np.uint8)
    cv2.ellipse(truth, (width // 2, height // 3), (width // 8, height // 5), 0, 0, 360, 255, -1)
    cv2.rectangle(truth, (width // 4, height // 2), (3 * width // 4, height), 255, -1)
    picture = np.full((height, width, 3), 120, np.uint8)
    picture[truth > 0] = (110, 140, 200)
    for kind, image in (("images", picture), ("masks", truth)):
        (folder / kind).mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / kind / f"{name}.png"), image)


def clip(path: Path, frames: int, size: tuple[int, int] = (160, 120)) -> None:
    """A square that moves before a green wall."""
    (width, height), step = size, size[0] // 40
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, size)
    for number in range(frames):
        frame = np.full((height, width, 3), (0, 255, 0), np.uint8)
        left = width // 4 + step * number
        frame[height // 3 :, left : left + 3 * width // 8] = (120, 130, 200)
        writer.write(frame)
    writer.release()


class TestMetrics:
    @pytest.mark.parametrize("measure", [metrics.iou, metrics.boundary_f, metrics.outline_f])
    def test_the_same_is_1_and_nothing_is_0(self, measure: object) -> None:
        assert callable(measure)
        assert measure(square(50), square(50)) == 1
        assert measure(square(50), np.zeros_like(square(50))) == 0
        assert measure(np.zeros_like(square(50)), np.zeros_like(square(50))) == 1

    def test_iou_of_half_an_overlap_is_a_third(self) -> None:
        assert metrics.iou(square(50), square(80)) == pytest.approx(1 / 3)

    @pytest.mark.parametrize(("off_px", "found"), [(3, True), (5, False)])
    def test_a_boundary_counts_within_three_pixels(self, off_px: int, found: bool) -> None:
        assert (metrics.boundary_f(square(50), square(50 + off_px)) > 0.9) == found

    def test_the_pictures_edge_is_no_boundary(self) -> None:
        assert not metrics.boundary(np.ones((20, 20), np.float32)).any()

    def test_only_edges_at_rest_count_for_flicker(self) -> None:
        assert metrics.edge_at_rest(square(50), square(50)).any()
        assert not metrics.edge_at_rest(square(50), square(54))[40:100, 48:56].any()


class TestKeyed:
    def test_person_is_cut_out_and_put_into_a_room(self, tmp_path: Path) -> None:
        clip(tmp_path / "green.avi", 2)

        (sequence,) = keyed.sequences(f"{tmp_path}/green.avi:0-1@office")
        ((picture, alpha),) = keyed.pictures(sequence)

        assert picture.shape == (720, 1280, 3)
        assert alpha.shape == (720, 1280)
        assert 0.15 < alpha.mean() < 0.4
        greenness = picture[..., 1].astype(int) - picture.max(axis=2)
        assert (greenness[alpha == 0] < 0).mean() > 0.5, "the wall is gone"

    @pytest.mark.parametrize("argument", ["nowhere.mp4", "{}:3", "{}@cellar"])
    def test_what_cannot_be_used_is_named(self, argument: str, tmp_path: Path) -> None:
        clip(tmp_path / "green.avi", 1)
        given = argument.format(tmp_path / "green.avi")

        with pytest.raises(ValueError, match=r"must be FILE|a room is one of"):
            keyed.sequences(given)

    @pytest.mark.parametrize("room", [rooms.study, rooms.office])
    def test_rooms_are_the_same_every_time(self, room: object) -> None:
        assert callable(room)
        assert room((320, 180)).shape == (180, 320, 3)
        assert np.array_equal(room((320, 180)), room((320, 180)))


class TestWays:
    def test_a_way_says_what_is_special_about_it(self) -> None:
        assert str(matting.Way()) == "1 look"
        assert str(matting.Way(is_bare=True)) == "bare 1 look"
        assert str(matting.Way(refine=False, smooth=False, looks=6)) == "plain unsteady 6 looks"

    def test_a_bare_mask_is_the_models_own(self) -> None:
        pytest.importorskip("ai_edge_litert", reason="models need a runtime")
        picture = np.full((120, 160, 3), 90, np.uint8)
        bare, made = (
            matting.Matting(cli.MODELS / f"{MODEL}.toml", matting.Way(is_bare=is_bare))
            for is_bare in (True, False)
        )
        assert bare.matte(picture).shape == (112, 192)
        assert made.matte(picture).shape == (120, 160)


class TestCrops:
    @pytest.mark.parametrize("size", [(160, 120), (120, 161), (400, 100), (101, 57)])
    def test_a_crop_has_a_webcams_shape_and_the_persons_top(self, size: tuple[int, int]) -> None:
        width, height = size
        truth = np.zeros((height, width), np.uint8)
        truth[height // 3 :, width // 4 : width // 2] = 255
        picture = np.zeros((height, width, 3), np.uint8)
        picture[truth > 0] = 200

        (crop,) = measure.webcam_crops([measure.Still("one", picture, truth)])

        assert crop.picture.shape[:2] == crop.truth.shape
        assert crop.truth.shape[1] / crop.truth.shape[0] == pytest.approx(16 / 9, rel=0.05)
        assert crop.truth.shape[0] == height or crop.truth.shape[1] >= width - 1
        assert crop.truth.any()
        assert np.array_equal(crop.truth > 127, crop.picture[..., 0] > 100)

    def test_where_nobody_is_there_is_no_crop(self) -> None:
        nobody = measure.Still("none", np.zeros((90, 90, 3), np.uint8), np.zeros((90, 90), np.uint8))
        assert measure.webcam_crops([nobody]) == []


class TestGoals:
    @staticmethod
    def rows(**figures: float) -> list[dict[str, str | float]]:
        model = {"model": "person-384x208 int8", "matte": "6 looks"}
        return [{**model, "footage": "96 stills", **figures}, {**model, "footage": "96 crops", "iou": 0.1}]

    def test_a_goal_is_held_against_the_rows_it_is_about(self) -> None:
        met = goals.verdicts(self.rows(iou=0.91, outline_f=0.88))
        assert [verdict["is"] for verdict in met] == ["met", "met"]
        assert not goals.missed(met)

    def test_a_missed_goal_is_told(self) -> None:
        verdicts = goals.verdicts(self.rows(iou=0.91, outline_f=0.869))
        assert [verdict["is"] for verdict in verdicts] == ["met", "missed"]
        assert goals.missed(verdicts)

    @pytest.mark.parametrize(("lag", "verdict"), [(0.0, "met"), (1.0, "missed")])
    def test_some_goals_are_upper_limits(self, lag: float, verdict: str) -> None:
        row = {"model": "person-256x144 float16", "matte": "1 look", "footage": "mean of clips", "lag": lag}
        assert [one["is"] for one in goals.verdicts([row])] == [verdict]

    def test_every_goal_is_about_something_that_is_measured(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("ai_edge_litert", reason="models need a runtime")
        portrait(tmp_path, "one", (161, 121))
        portrait(tmp_path, "two", (120, 160))
        clip(tmp_path / "green.avi", 5, (640, 480))

        status = cli.main(
            ["--goals", "--json", "--stills", str(tmp_path), "--keyed", f"{tmp_path}/green.avi@study,office"]
        )

        told = [row for row in json.loads(capsys.readouterr().out) if "goal" in row]
        assert len(told) == 2 * len(goals.GOALS)
        assert {verdict["goal"] for verdict in told} == {goal.name for goal in goals.GOALS}
        assert status == (1 if any(verdict["is"] == "missed" for verdict in told) else 0)


class TestProgram:
    def test_stills_and_clips_are_measured_and_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("ai_edge_litert", reason="models need a runtime")
        portrait(tmp_path, "odd", (161, 121))
        portrait(tmp_path, "even", (120, 160))
        clip(tmp_path / "green.avi", 6)
        footage = ["--stills", str(tmp_path), "--keyed", f"{tmp_path}/green.avi@study,office"]

        status = cli.main([*footage, "--models", MODEL, "--json", "--sheet", str(tmp_path / "sheet.png")])

        rows = json.loads(capsys.readouterr().out)
        assert status == 0
        assert [row["footage"] for row in rows] == [
            "2 stills",
            "green@0/study",
            "green@0/office",
            "mean of clips",
        ]
        assert all(0 <= row[name] <= 1 for row in rows for name in ("iou", "boundary_f", "mae"))
        assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 3000

    def test_an_empty_folder_is_an_error_in_words(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["--stills", str(tmp_path)]) == 1
        assert "has no pictures in images/" in capsys.readouterr().err
