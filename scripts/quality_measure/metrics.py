"""How close one matte comes to another. All arrays are (height, width), float32, 0 to 1, of one size."""

import cv2
import numpy as np
from numpy.typing import NDArray

Alpha = NDArray[np.float32]
Bits = NDArray[np.bool_]

TOLERANCE_PX = 3
"""How far a boundary may be off and still count as found."""

_SQUARE = np.ones((3, 3), np.uint8)


def iou(alpha: Alpha, truth: Alpha) -> float:
    """Intersection over union of what is above a half; 1 when there is nothing in either."""
    found, wanted = alpha > 0.5, truth > 0.5
    union = np.count_nonzero(found | wanted)
    return float(np.count_nonzero(found & wanted) / union) if union else 1.0


def mean_error(alpha: Alpha, truth: Alpha) -> float:
    """Mean absolute difference."""
    return float(np.abs(alpha - truth).mean())


def boundary(alpha: Alpha) -> Bits:
    """The outermost pixels above a half. The picture's own edge is no boundary."""
    solid = (alpha > 0.5).astype(np.uint8)
    return np.asarray(solid > cv2.erode(solid, _SQUARE, borderType=cv2.BORDER_REPLICATE))


def boundary_f(alpha: Alpha, truth: Alpha) -> float:
    """F of the boundaries, TOLERANCE_PX apart at most by Euclid's measure: the strict figure, for clips."""
    distance = cv2.DIST_L2
    found, wanted = boundary(alpha), boundary(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    to_wanted = cv2.distanceTransform((~wanted).astype(np.uint8), distance, 5)
    to_found = cv2.distanceTransform((~found).astype(np.uint8), distance, 5)
    return _f((to_wanted[found] <= TOLERANCE_PX).mean(), (to_found[wanted] <= TOLERANCE_PX).mean())


def outline_f(alpha: Alpha, truth: Alpha) -> float:
    """F of outlines two pixels thick, within a disc of TOLERANCE_PX: for stills with masks drawn by hand."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOLERANCE_PX + 1, 2 * TOLERANCE_PX + 1))
    found, wanted = _outline(alpha), _outline(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    near_wanted, near_found = cv2.dilate(wanted, disc), cv2.dilate(found, disc)
    return _f((near_wanted[found > 0] > 0).mean(), (near_found[wanted > 0] > 0).mean())


def edge_at_rest(before: Alpha, now: Alpha) -> Bits:
    """Where the true matte's edge is near, and within nine pixels nothing of it has moved."""
    moved = cv2.dilate((np.abs(now - before) > 0.02).astype(np.uint8), np.ones((9, 9), np.uint8))
    near = cv2.dilate(boundary(now).astype(np.uint8), np.ones((13, 13), np.uint8))
    return np.asarray((near > 0) & (moved == 0))


def _outline(alpha: Alpha) -> NDArray[np.uint8]:
    solid = (alpha > 0.5).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, _SQUARE, borderType=cv2.BORDER_REPLICATE))


def _f(precision: float, recall: float) -> float:
    both = float(precision + recall)
    return float(2 * precision * recall) / both if both else 0.0
