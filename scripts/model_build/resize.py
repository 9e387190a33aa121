"""The same weights for another input size."""

import numpy as np

from model_build.errors import BuildError
from model_build.graph import Graph, indices

SIDE_MULTIPLE_PX = 16
"""The network halves the picture four times."""


def resized(graph: Graph, width: int, height: int) -> Graph:
    """A copy of a converted graph for another input size.

    Args:
        graph: a converted graph.
        width: pixels, a multiple of 16.
        height: pixels, a multiple of 16.

    Raises:
        BuildError: the size is not a multiple of 16.
    """
    if width % SIDE_MULTIPLE_PX or height % SIDE_MULTIPLE_PX:
        raise BuildError(f"size {width}x{height}: both sides must be multiples of {SIDE_MULTIPLE_PX}")
    copy = graph.copy()
    _, old_height, old_width, _ = copy.shape(copy.input_tensor)
    scale = _Scale(copy, (height, old_height), (width, old_width))
    scale.computed_tensors()
    scale.operators()
    return copy.copy()


class _Scale:
    """Multiplies heights and widths by exact fractions (new, old)."""

    def __init__(self, graph: Graph, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        self.graph, self.rows, self.columns = graph, rows, columns

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        return height * self.rows[0] // self.rows[1], width * self.columns[0] // self.columns[1]

    def computed_tensors(self) -> None:
        for index, tensor in enumerate(self.graph.tensors):
            if len(tensor.shape) != 4 or self.graph.constant(index) is not None:
                continue
            batch, height, width, channels = self.graph.shape(index)
            if height * width > 1:
                tensor.shape = indices([batch, *self._scaled(height, width), channels])

    def operators(self) -> None:
        for operator in self.graph.of_kind("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
            height, width = (int(side) for side in self.graph.value(int(operator.inputs[1])))
            size = np.array(self._scaled(height, width), np.int32)
            new = self.graph.add_constant(f"size{operator.outputs[0]}", size)
            operator.inputs = indices([operator.inputs[0], new])
