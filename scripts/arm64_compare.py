"""The pictures that scripts/arm64-test processes, and the comparison of what came of them."""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from scrim.core.capture.demo import Demo
from scrim.frame import Caps

CAPS = Caps(640, 360, 2)
MOST_LEVELS = 1


def main() -> int:
    """Make pictures, or compare two folders of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    pictures = commands.add_parser("pictures", help="write pictures of a person before a room")
    pictures.add_argument("folder", type=Path)
    pictures.set_defaults(command=lambda options: make(options.folder))
    compare = commands.add_parser("compare", help="exit status 1 when a level differs by more than 1")
    compare.add_argument("name")
    compare.add_argument("here", type=Path)
    compare.add_argument("there", type=Path)
    compare.set_defaults(command=lambda options: judge(options.name, options.here, options.there))
    options = parser.parse_args()
    return int(options.command(options))


def make(folder: Path) -> int:
    """Write four pictures of the demo, half a second apart."""
    folder.mkdir(parents=True)
    demo = Demo(CAPS, pace=False)
    demo.open()
    for number in range(4):
        frame = demo.read()
        if frame is None:
            raise SystemExit("the demo gave no picture")
        i420 = np.concatenate([plane.reshape(-1) for plane in frame.planes]).reshape(-1, CAPS.width)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420))
    return 0


def judge(name: str, here: Path, there: Path) -> int:
    """Print how far two folders of pictures differ; 1 if too far, or if they hold other pictures."""
    names = sorted(path.name for path in here.iterdir())
    if not names or names != sorted(path.name for path in there.iterdir()):
        print(f"arm64-test: {name}: other pictures here and there")
        return 1
    largest, count, total = 0, 0, 0
    for file in names:
        pair = [cv2.imread(str(folder / file)) for folder in (here, there)]
        difference = cv2.absdiff(*pair)
        largest = max(largest, int(difference.max()))
        count, total = count + int(np.count_nonzero(difference)), total + difference.size
    verdict = "good" if largest <= MOST_LEVELS else "TOO FAR"
    print(
        f"arm64-test: {name}: {len(names)} pictures, {100 * count / total:.3f} % of the values differ, "
        f"by {largest} at most: {verdict}"
    )
    return 0 if largest <= MOST_LEVELS else 1


if __name__ == "__main__":
    sys.exit(main())
