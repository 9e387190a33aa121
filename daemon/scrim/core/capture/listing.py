"""Every camera of this machine, with what it can do, without starting any."""

from collections.abc import Iterator
from dataclasses import dataclass

from scrim.core.capture.registry import NOT_CAMERAS, candidate_nodes
from scrim.core.capture.v4l2_offers import Offer, offers_of
from scrim.core.node_controls import Control
from scrim.core.node_errors import explain
from scrim.core.videodev2 import Direction, Node, NodeOpener, VideoNode


@dataclass(frozen=True, slots=True)
class Listed:
    """One camera.

    Attributes:
        url: for ``camera.source``.
        name: what it calls itself.
        driver: such as ``uvcvideo``.
        offers: the ways to deliver that scrim can read, the largest of each format.
        controls: what can be turned.
        error: why nothing is known of it; empty otherwise.
    """

    url: str
    name: str = ""
    driver: str = ""
    offers: tuple[Offer, ...] = ()
    controls: tuple[Control, ...] = ()
    error: str = ""


def cameras(nodes: list[str] | None = None, open_node: NodeOpener = VideoNode) -> Iterator[Listed]:
    """The V4L2 cameras, in the order in which ``auto`` looks at them; one that is in use too.

    Args:
        nodes: paths to look at; those of this machine when None.
        open_node: opens a node; a fake in tests.
    """
    for path in candidate_nodes() if nodes is None else nodes:
        try:
            node = open_node(path)
        except OSError as error:
            yield Listed(f"v4l2:{path}", error=explain(path, error))
            continue
        try:
            found = _listed(path, node)
        except OSError as error:
            found = Listed(f"v4l2:{path}", error=explain(path, error))
        finally:
            node.close()
        if found is not None:
            yield found


def _listed(path: str, node: Node) -> Listed | None:
    capability = node.capability()
    if not capability.captures or capability.driver in NOT_CAMERAS:
        return None
    offers = tuple(_largest(offers_of(node, (1920, 1080))))
    if not offers:
        delivers = ", ".join(node.formats(Direction.CAPTURE)) or "nothing"
        return Listed(f"v4l2:{path}", capability.card, capability.driver, error=f"delivers {delivers}")
    return Listed(f"v4l2:{path}", capability.card, capability.driver, offers, tuple(node.controls()))


def _largest(offers: list[Offer]) -> Iterator[Offer]:
    for fourcc in dict.fromkeys(offer.fourcc for offer in offers):
        same = [offer for offer in offers if offer.fourcc == fourcc]
        yield max(same, key=lambda offer: (offer.size[0] * offer.size[1], offer.frame_rate))
