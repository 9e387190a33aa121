"""Masks become mattes: calm in time, never late, and blind to what nobody may see."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scrim.core.matte import MatteMaker
from scrim.core.matte.firm import FAINT
from scrim.core.matte.grid import Grid
from scrim.core.pyramid import Pyramid
from scrim.errors import SegmentError
from scrim.frame import Frame, Mask, Matte, Plane, Planes

SIZE = (320, 180)
MASK_SIZE = (64, 36)
SIZES = [(2, 2), (34, 18), (98, 54), (320, 180), (322, 182), (1000, 566)]
"""Frames that fill the last cells of the grid and frames that do not; the last gets the large cells."""


def pyramid_of(i420: Plane) -> Pyramid:
    planes = Planes.of(i420)
    pyramid = Pyramid(planes.size)
    pyramid.load(Frame(planes, 0, 0))
    return pyramid


def room(size: tuple[int, int], seed: int = 0) -> Plane:
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)


def disc(x: float, y: float, radius: float, size: tuple[int, int] = MASK_SIZE) -> Mask:
    """A mask with a soft-edged disc, all in mask pixels."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    away = np.hypot(columns - x, rows - y) - radius
    return np.rint(np.clip(0.5 - away / 2, 0, 1) * 255).astype(np.uint8)


def copied(matte: Matte) -> Matte:
    return Matte(matte.y.copy(), matte.uv.copy(), matte.box, matte.coverage)


def same(one: Matte, other: Matte) -> bool:
    return (
        np.array_equal(one.y, other.y)
        and np.array_equal(one.uv, other.uv)
        and (one.box, one.coverage) == (other.box, other.coverage)
    )


def near_support(mask: Mask, size: tuple[int, int], reach_px: int) -> Plane:
    """True where a frame pixel is at most ``reach_px`` from a pixel of the mask's support."""
    support = cv2.resize((mask > FAINT).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    side = 2 * reach_px + 1
    return cv2.dilate(support, np.ones((side, side), np.uint8), borderValue=0) > 0


masks = st.one_of(
    arrays(np.uint8, MASK_SIZE[::-1], elements=st.sampled_from([0, FAINT, FAINT + 1, 128, 255])),
    st.builds(disc, st.floats(-5, 70), st.floats(-5, 40), st.floats(0, 20)),
)
How = dict[str, bool]
every_way = pytest.mark.parametrize(
    "how",
    [{"refine": False}, {"refine": True}, {"refine": False, "is_fine": True}, {"is_fine": True}],
    ids=["plain", "refined", "fine", "refined and fine"],
)


class TestShape:
    @every_way
    @pytest.mark.parametrize("size", SIZES)
    def test_both_planes_fit_the_frame(self, size: tuple[int, int], how: How) -> None:
        matte = MatteMaker(size, MASK_SIZE, **how).matte(disc(32, 18, 12), pyramid_of(room(size)))

        assert matte.y.shape == size[::-1]
        assert matte.uv.shape == (size[1] // 2, size[0] // 2)
        assert matte.y.dtype == matte.uv.dtype == np.uint8

    @every_way
    @pytest.mark.parametrize("size", SIZES[2:])
    def test_person_is_255_and_room_is_0(self, size: tuple[int, int], how: How) -> None:
        mask = np.zeros(MASK_SIZE[::-1], np.uint8)
        mask[:, 16:48] = 255

        matte = MatteMaker(size, MASK_SIZE, **how).matte(mask, pyramid_of(np.full_like(room(size), 90)))

        eighth = size[0] // 8
        assert (matte.y[:, 3 * eighth : 5 * eighth] == 255).all()
        assert (matte.uv[:, 3 * eighth // 2 : 5 * eighth // 2] == 255).all()
        assert not matte.y[:, :eighth].any()
        assert not matte.y[:, 7 * eighth + 1 :].any()
        assert matte.coverage == pytest.approx(0.5, abs=0.05)

    @every_way
    def test_one_person_everywhere_leaves_no_gap_at_the_borders(self, how: How) -> None:
        mask = np.full(MASK_SIZE[::-1], 255, np.uint8)

        matte = MatteMaker(SIZE, MASK_SIZE, **how).matte(mask, pyramid_of(room(SIZE)))

        assert (matte.y == 255).all()
        assert (matte.uv == 255).all()
        assert matte.box == (0, 0, *SIZE)
        assert matte.coverage == 1

    @every_way
    def test_faint_masks_are_nobody(self, how: How) -> None:
        mask = np.full(MASK_SIZE[::-1], FAINT, np.uint8)

        matte = MatteMaker(SIZE, MASK_SIZE, **how).matte(mask, pyramid_of(room(SIZE)))

        assert not matte.y.any()
        assert matte.box == (0, 0, 0, 0)
        assert matte.coverage == 0

    @every_way
    @settings(max_examples=40)
    @given(sequence=st.lists(masks, min_size=1, max_size=3), size=st.sampled_from(SIZES))
    def test_box_holds_all_alpha(self, how: How, sequence: list[Mask], size: tuple[int, int]) -> None:
        maker, pyramid = MatteMaker(size, MASK_SIZE, **how), pyramid_of(room(size))
        for mask in sequence:
            matte = maker.matte(mask, pyramid)
            left, top, right, bottom = matte.box
            outside_y, outside_uv = matte.y.copy(), matte.uv.copy()
            outside_y[top:bottom, left:right] = 0
            outside_uv[top // 2 : bottom // 2, left // 2 : right // 2] = 0

            assert not outside_y.any()
            assert not outside_uv.any()
            assert all(side % 2 == 0 for side in matte.box)
            assert 0 <= left <= right <= size[0]
            assert 0 <= top <= bottom <= size[1]

    def test_box_is_tight(self) -> None:
        mask = np.zeros(MASK_SIZE[::-1], np.uint8)
        mask[10:20, 20:40] = 255

        matte = MatteMaker(SIZE, MASK_SIZE, refine=False).matte(mask, pyramid_of(room(SIZE)))

        assert np.abs(np.subtract(matte.box, (100, 50, 200, 100))).max() <= 10

    @pytest.mark.parametrize("mask", [np.zeros((36, 63), np.uint8), np.zeros((36, 64), np.float32)])
    def test_what_is_not_its_mask_is_refused(self, mask: Mask) -> None:
        with pytest.raises(SegmentError, match=r"\(36, 64\) uint8 is wanted"):
            MatteMaker(SIZE, MASK_SIZE).matte(mask, pyramid_of(room(SIZE)))

    def test_a_frame_of_another_size_is_refused(self) -> None:
        with pytest.raises(SegmentError, match=r"\(320, 180\) is wanted"):
            MatteMaker(SIZE, MASK_SIZE).matte(disc(9, 9, 5), pyramid_of(room((98, 54))))


class TestTime:
    @every_way
    @pytest.mark.parametrize("speed_px", [1.0, 2.0, 4.0])
    def test_a_moving_disc_is_not_followed_late(self, how: How, speed_px: float) -> None:
        maker = MatteMaker(SIZE, MASK_SIZE, **how)
        path = [disc(14 + speed_px * step, 18, 8) for step in range(9)]
        truth = [cv2.resize(mask, SIZE) for mask in path]
        picture = np.full_like(room(SIZE), 90)

        for now, mask in enumerate(path):
            planes = picture.copy()
            planes[: SIZE[1]][truth[now] > 127] = 200
            alpha = maker.matte(mask, pyramid_of(planes)).y.astype(int)
            apart = [np.abs(alpha - then).mean() for then in truth[: now + 1]]
            assert int(np.argmin(apart)) == now

    def test_nothing_trails_where_the_mask_is_gone(self) -> None:
        maker, pyramid = MatteMaker(SIZE, MASK_SIZE), pyramid_of(room(SIZE))
        maker.matte(disc(20, 18, 8), pyramid)
        mask = disc(44, 18, 8)

        matte = maker.matte(mask, pyramid)

        assert not matte.y[~near_support(mask, SIZE, 14)].any()

    @every_way
    def test_a_trembling_edge_is_held(self, how: How) -> None:
        def flicker(smooth: bool) -> float:
            rng = np.random.default_rng(5)
            maker = MatteMaker(SIZE, MASK_SIZE, **how, smooth=smooth)
            pyramid = pyramid_of(np.full_like(room(SIZE), 90))
            clean = disc(32, 18, 10).astype(int)
            mattes = []
            for _ in range(20):
                tremble = rng.normal(0, 12, clean.shape) * ((clean > 0) & (clean < 255))
                mask = np.clip(clean + tremble, 0, 255).astype(np.uint8)
                mattes.append(maker.matte(mask, pyramid).y.astype(int))
            return float(np.abs(np.diff(mattes, axis=0)).mean())

        assert flicker(smooth=True) < 0.5 * flicker(smooth=False)

    @every_way
    def test_after_reset_the_past_is_forgotten(self, how: How) -> None:
        pyramid = pyramid_of(room(SIZE))
        fresh = MatteMaker(SIZE, MASK_SIZE, **how)
        used = MatteMaker(SIZE, MASK_SIZE, **how)
        for step in range(4):
            used.matte(disc(30 + step / 4, 18, 10), pyramid)
        used.reset()

        assert same(used.matte(disc(33, 17, 9), pyramid), fresh.matte(disc(33, 17, 9), pyramid))

    @every_way
    @given(sequence=st.lists(masks, min_size=2, max_size=4))
    @settings(max_examples=25)
    def test_without_smoothing_each_mask_stands_for_itself(self, how: How, sequence: list[Mask]) -> None:
        pyramid = pyramid_of(room(SIZE))
        used = MatteMaker(SIZE, MASK_SIZE, **how, smooth=False)
        for mask in sequence:
            last = used.matte(mask, pyramid)
        fresh = MatteMaker(SIZE, MASK_SIZE, **how, smooth=False)

        assert same(last, fresh.matte(sequence[-1], pyramid))


class TestFine:
    @pytest.mark.parametrize(
        ("mask_size", "step_px"), [((64, 36), 2), ((128, 72), 1), ((20, 12), 2), ((1000, 1000), 1)]
    )
    def test_the_grid_has_as_many_cells_as_the_mask_pixels(
        self, mask_size: tuple[int, int], step_px: int
    ) -> None:
        grid = Grid.as_fine_as(mask_size, (320, 180))

        assert grid.step_px == step_px
        assert grid == Grid.of_cells(step_px, (320, 180))

    def test_a_small_frame_keeps_what_its_mask_knows(self) -> None:
        """A gap of two mask pixels, in a frame in which the usual grid has fewer cells than the mask."""
        size = (128, 72)
        picture = np.full_like(room(size), 90)
        Planes.of(picture).y[:, 60:64] = 170
        mask = np.full(MASK_SIZE[::-1], 255, np.uint8)
        mask[:, 30:32] = 0

        usual, fine = (
            MatteMaker(size, MASK_SIZE, is_fine=is_fine).matte(mask, pyramid_of(picture)).y[36].astype(int)
            for is_fine in (False, True)
        )

        truth = np.where((np.arange(128) >= 60) & (np.arange(128) < 64), 0, 255)
        assert np.abs(fine - truth).sum() < np.abs(usual - truth).sum()

    def test_the_edge_follows_the_colour_pixel_by_pixel(self) -> None:
        """Where person and room are equally bright."""
        size = (128, 72)
        picture = np.full_like(room(size), 90)
        planes = Planes.of(picture)
        planes.v[:, :32] = 170
        mask = np.zeros(MASK_SIZE[::-1], np.uint8)
        mask[:, :31] = 255
        mask[:, 31:34] = 130

        matte = MatteMaker(size, MASK_SIZE, is_fine=True).matte(mask, pyramid_of(picture)).y

        assert (matte[36, :62] > 200).all()
        assert (matte[36, 67:] < 50).all()


class TestPrivacy:
    @given(sequence=st.lists(masks, min_size=1, max_size=4), size=st.sampled_from(SIZES))
    @settings(max_examples=50)
    def test_without_refinement_only_masks_matter(self, sequence: list[Mask], size: tuple[int, int]) -> None:
        one, other = (MatteMaker(size, MASK_SIZE, refine=False) for _ in range(2))
        for step, mask in enumerate(sequence):
            first = one.matte(mask, pyramid_of(room(size, 2 * step)))
            second = other.matte(mask, pyramid_of(room(size, 2 * step + 1)))
            assert same(first, second)

    @pytest.mark.parametrize("is_fine", [False, True])
    @given(
        sequence=st.lists(masks, min_size=1, max_size=3), size=st.sampled_from(SIZES), seed=st.integers(0, 99)
    )
    @settings(max_examples=80)
    def test_refinement_sees_nothing_beyond_its_reach(
        self, is_fine: bool, sequence: list[Mask], size: tuple[int, int], seed: int
    ) -> None:
        one, other = (MatteMaker(size, MASK_SIZE, is_fine=is_fine) for _ in range(2))
        height = size[1]
        for step, mask in enumerate(sequence):
            visible = near_support(mask, size, one.reach_px)
            mine, yours = room(size, 2 * seed + step), room(size, 1000 + seed + step)
            own, others = Planes.of(mine), Planes.of(yours)
            yours[:height][visible] = mine[:height][visible]
            for target, source in ((others.u, own.u), (others.v, own.v)):
                target[visible[::2, ::2]] = source[visible[::2, ::2]]

            first = copied(one.matte(mask, pyramid_of(mine)))
            assert same(first, other.matte(mask, pyramid_of(yours)))
            assert not first.y[~visible].any()

    @given(before=masks, now=masks)
    @settings(max_examples=50)
    def test_alpha_keeps_to_the_support_of_its_own_mask(self, before: Mask, now: Mask) -> None:
        maker, pyramid = MatteMaker(SIZE, MASK_SIZE), pyramid_of(room(SIZE))
        maker.matte(before, pyramid)

        matte = maker.matte(now, pyramid)

        mask_pixel_and_cell_px = 5 + 2
        assert not matte.y[~near_support(now, SIZE, mask_pixel_and_cell_px)].any()


class TestCost:
    @every_way
    def test_nothing_of_a_frames_size_is_allocated(self, how: How) -> None:
        size = (1280, 720)
        maker, pyramid = MatteMaker(size, MASK_SIZE, **how), pyramid_of(room(size))
        path = [disc(x, 18, 12) for x in (20, 21, 30, 31)]
        for mask in path:
            maker.matte(mask, pyramid)

        tracemalloc.start()
        try:
            for mask in path:
                maker.matte(mask, pyramid)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 32_000, "the smallest working grid has 14 400 cells of 4 bytes"
