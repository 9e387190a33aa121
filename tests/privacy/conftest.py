"""The folder of background images that all sequences share, and an outlet that does not wait in real time."""

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from scrim.core import outlet, pipeline_loop

from .schedule import IMAGES


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of planned faults need no log."""
    logger = logging.getLogger("scrim")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("backgrounds").resolve()
    rng = np.random.default_rng(5)
    for name, shape in zip(IMAGES, ((30, 60, 3), (50, 24, 3)), strict=True):
        assert cv2.imwrite(str(made / name), rng.integers(0, 256, shape, np.uint8))
    (made / "broken.png").write_text("no picture")
    return made


@pytest.fixture(scope="module")
def no_waiting() -> Iterator[None]:
    """The rig's clock stands still between events, so nothing that is empty is waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_loop, "_PATIENCE_S", 0.0)
        patch.setattr(outlet, "REPEAT_INTERVAL_S", 0.0)
        yield
