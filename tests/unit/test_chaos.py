"""What scripts/chaos and scripts/soak make of what they saw; that they see it is shown by running them."""

import json
import math
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrim.detector import CodedBackground

SCRIPTS = Path(__file__).parents[2] / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.append(str(SCRIPTS))

from chaos_run.core_program import KEY, Camera  # noqa: E402
from chaos_run.faults import FAULTS  # noqa: E402
from chaos_run.outputs import Feed  # noqa: E402
from chaos_run.report import Outcome, Presence, table  # noqa: E402
from chaos_run.supervisor import Past  # noqa: E402
from soak_run.cli import figures  # noqa: E402
from soak_run.picture import draw  # noqa: E402
from soak_run.samples import Sample  # noqa: E402

from scrim.frame import Caps  # noqa: E402

SIZE = (320, 180)


def outcome(folder: Path, *, seen: int = 5) -> Outcome:
    feed = Feed(folder / "socket", SIZE, KEY, folder)
    feed._judge(np.full(SIZE[::-1], 90, np.uint8))
    presence = Presence(looks=100, pictured=99, live=60, longest_gap_s=1.5)
    made = Outcome(60, 7, {"feed": (seen, 5)}, presence, [feed], {"core": Past(ends=Counter(SIGKILL=2))})
    made.recoveries["core killed"] += [3.0, 5.0, 4.0]
    return made


def test_a_run_in_which_all_went_well_is_good_and_says_what_it_saw(tmp_path: Path) -> None:
    good = outcome(tmp_path)
    assert good.is_good
    told = json.loads(json.dumps(good.as_dict()))
    assert told["leaks"] == 0
    assert told["faults"] == 3
    assert told["recovery_s"] == {"core killed": {"count": 3, "median": 4.0, "longest": 5.0}}
    assert told["availability"] == {"picture": 0.99, "live": 0.6, "longest_gap_s": 1.5}
    assert "every promise was kept" in table(good)


def test_a_picture_with_the_room_in_it_is_a_leak_and_is_kept(tmp_path: Path) -> None:
    made = outcome(tmp_path)
    feed = made.outputs[0]
    feed._judge(CodedBackground(SIZE, KEY).mark(np.full(SIZE[::-1], 90, np.uint8)))
    assert made.leaks == 1
    assert not made.is_good
    assert len(list(tmp_path.glob("feed-1-*.npy"))) == 1


def test_a_detector_that_was_not_proven_proves_nothing(tmp_path: Path) -> None:
    assert not outcome(tmp_path, seen=0).is_good


@pytest.mark.parametrize("what", ["lost", "gave up"])
def test_what_never_came_back_is_a_broken_promise(tmp_path: Path, what: str) -> None:
    made = outcome(tmp_path)
    if what == "lost":
        made.lost.append("broker gone")
    else:
        made.services["core"].gave_up = True
    assert not made.is_good
    assert "A PROMISE WAS BROKEN" in table(made)


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) > 30


def test_the_camera_s_room_is_coded_where_nobody_stands() -> None:
    camera = Camera(Caps(*SIZE, 10))
    camera._prepare()
    assert camera._room is not None
    wall = camera._room[: SIZE[1]].astype(int)
    roughness = np.abs(np.diff(wall, axis=1))
    assert roughness[:, :16].mean() > 5, "at the side there is the code"
    assert roughness[:, SIZE[0] // 2 - 8 : SIZE[0] // 2 + 8].mean() < 1, "where the person is there is none"


def samples(grown_mb: float = 0.0, descriptors: int = 20) -> list[Sample]:
    """A run that is warm after a tenth."""
    count = 200
    return [
        Sample(
            frames=100 * number,
            at_s=float(number),
            rss_mb=100 - 30 * math.exp(-number / 3) + grown_mb * number / count,
            descriptors=descriptors if number > count * 0.9 else 20,
            threads=11,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("run", "is_good"),
    [
        (samples(), True),
        (samples(grown_mb=2.0), True),
        (samples(grown_mb=4.0), False),
        (samples(descriptors=21), False),
    ],
)
def test_what_grows_is_told(run: Any, is_good: bool) -> None:
    found = figures({"core": run, "gateway": samples()})
    assert found["is_good"] is is_good
    assert found["frames"] == 19_900


def test_the_picture_of_a_soak_is_svg() -> None:
    picture = draw({"core": samples(), "gateway": samples()}, "A title <with> signs")
    root = ET.fromstring(picture)
    assert root.tag.endswith("svg")
    assert len([path for path in root.iter() if path.get("class") == "core"]) == 4
