"""Full-integer int8 post-training quantisation by recorded ranges.

* weights: int8, symmetric, one scale per output channel, the scale chosen for the least squared error;
* biases: int32 at input scale times weight scale;
* activations: int8, one scale and zero point per tensor, from ``models/ranges/*.json``;
* input: camera bytes with the top bit flipped (scale 1/255, zero point -128);
* output: alpha bytes with the top bit flipped (scale 1/256, zero point -128), or logits.

The recorded ranges were found once on pictures of people: histograms of every tensor, the clipping with the
least squared error, sigmoid inputs cut at +-8 and hard-swish inputs at -3, then a coordinate descent over the
ranges against the float model's alpha.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from model_build.errors import BuildError
from model_build.graph import Graph, Operator
from model_build.hard_swish import convolution_slots

Ranges = Mapping[str, tuple[float, int]]
"""Tensor name to (scale, zero point)."""

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_INT8_VERSIONS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 3, "ADD": 2, "MUL": 2, "AVERAGE_POOL_2D": 2,
    "MEAN": 2, "LOGISTIC": 2, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 2, "DEPTH_TO_SPACE": 2,
}  # fmt: skip
_MOST_INT8 = 127
_MOST_INT32 = 2**31 - 1
_SMALLEST_PEAK = 1e-9
_EQUALISING_ROUNDS = 3


def read_ranges(path: Path) -> Ranges:
    """Read recorded ranges: a JSON object of tensor name to [scale, zero point].

    Raises:
        BuildError: the file cannot be read or is not that.
    """
    try:
        table = json.loads(path.read_text())
        return {str(name): (float(scale), int(zero)) for name, (scale, zero) in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BuildError(f"{path}: not a table of recorded ranges: {error}") from error


def quantized(graph: Graph, ranges: Ranges) -> Graph:
    """An int8 copy of a converted float graph.

    Args:
        graph: converted, HARD_SWISH expanded, at its final size.
        ranges: one entry for each tensor that is computed or an input.

    Raises:
        BuildError: a range is missing.
    """
    copy = graph.copy()
    equalize(copy)
    copy = copy.copy()
    scales = _activation_scales(copy, ranges)
    _quantize_convolutions(copy, scales)
    _quantize_operands(copy)
    for index, (scale, zero) in scales.items():
        copy.tensor(index).type = schema.TensorType.INT8
        copy.tensor(index).quantization = _parameters([scale], [zero])
    copy.raise_versions(_INT8_VERSIONS)
    copy.model.description = b"person segmentation; int8 post-training quantisation"
    return copy.copy()


def equalize(graph: Graph) -> None:
    """Even out the channels between pairs of convolutions (Nagel et al. 2019).

    Where only a ReLU stands between two convolutions, each channel can be scaled down in the first and up in
    the second; one scale per tensor then wastes less.
    """
    pairs = _equalisable_pairs(graph)
    for _ in range(_EQUALISING_ROUNDS):
        for first, second in pairs:
            _equalize_pair(graph, first, second)


def _equalisable_pairs(graph: Graph) -> list[tuple[Operator, Operator]]:
    none, relu = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU
    pairs = []
    for first in graph.of_kind("CONV_2D", "DEPTHWISE_CONV_2D"):
        users = graph.consumers(int(first.outputs[0]))
        if first.builtinOptions.fusedActivationFunction not in (relu, none) or len(users) != 1:
            continue
        if graph.kind(users[0]) in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            pairs.append((first, users[0]))
    return pairs


def _equalize_pair(graph: Graph, first: Operator, second: Operator) -> None:
    weights, bias = graph.value(int(first.inputs[1])), graph.value(int(first.inputs[2]))
    next_weights = graph.value(int(second.inputs[1]))
    axis = _channel_axis(graph.kind(first))
    peak = np.abs(weights).max(_other_axes(axis))
    # The input channels are the last axis for both kinds.
    next_peak = np.abs(next_weights).max((0, 1, 2))
    ratio = np.clip(np.sqrt(np.maximum(peak, 1e-8) / np.maximum(next_peak, 1e-8)), 1e-2, 1e2)
    graph.set_constant(int(first.inputs[1]), (weights / _along(ratio, axis)).astype(np.float32))
    graph.set_constant(int(first.inputs[2]), (bias / ratio).astype(np.float32))
    graph.set_constant(int(second.inputs[1]), (next_weights * ratio).astype(np.float32))


def _channel_axis(kind: str) -> int:
    """Which axis of a convolution's weights counts the output channels."""
    return 3 if kind == "DEPTHWISE_CONV_2D" else 0


def _other_axes(axis: int) -> tuple[int, ...]:
    return tuple(k for k in range(4) if k != axis)


def _along(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """One value per channel, shaped to broadcast along ``axis`` of four."""
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    return values.reshape(shape)


def _activation_scales(graph: Graph, ranges: Ranges) -> dict[int, tuple[float, int]]:
    computed = {int(out) for operator in graph.operators for out in operator.outputs} | {graph.input_tensor}
    missing = sorted(graph.name(index) for index in computed if graph.name(index) not in ranges)
    if missing:
        raise BuildError(f"no recorded range for {', '.join(missing)}")
    return {index: ranges[graph.name(index)] for index in computed}


def _quantize_convolutions(graph: Graph, scales: Mapping[int, tuple[float, int]]) -> None:
    for operator in graph.of_kind(*_CONVOLUTIONS):
        kind = graph.kind(operator)
        data, weights_at, bias_at = (int(operator.inputs[slot]) for slot in convolution_slots(kind))
        axis = _channel_axis(kind)
        weights, bias = graph.value(weights_at), graph.value(bias_at)
        integers, weight_scale = quantized_weights(weights, axis)
        bias_scale = weight_scale * scales[data][0]
        whole_bias = np.clip(np.round(bias / bias_scale), -_MOST_INT32, _MOST_INT32).astype(np.int32)
        graph.set_constant(weights_at, integers)
        graph.set_constant(bias_at, whole_bias)
        zeros = np.zeros(len(weight_scale))
        graph.tensor(weights_at).quantization = _parameters(weight_scale, zeros, axis)
        graph.tensor(bias_at).quantization = _parameters(bias_scale, zeros)


def quantized_weights(
    weights: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Weights as int8, and one scale per channel of ``axis``, the best of eleven by squared error."""
    # float64 said aloud: NumPy 1 and 2 promote float32 arrays and float64 scalars differently.
    peak = np.maximum(np.abs(weights).max(_other_axes(axis)), _SMALLEST_PEAK).astype(np.float64)
    best, least = np.zeros_like(peak), np.full(peak.shape, np.inf)
    for share in np.linspace(0.75, 1.0, 11):
        scale = peak * share / _MOST_INT8
        error = ((_rounded(weights, _along(scale, axis)) * _along(scale, axis) - weights) ** 2).sum(
            _other_axes(axis)
        )
        better = error <= least
        best[better], least[better] = scale[better], error[better]
    return _rounded(weights, _along(best, axis)).astype(np.int8), best


def _rounded(weights: NDArray[np.float32], scale: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.clip(np.round(weights / scale), -_MOST_INT8, _MOST_INT8)


def _quantize_operands(graph: Graph) -> None:
    """Float scalars that are operands of other operators: the hard-swish's three."""
    done: dict[int, int] = {}
    for operator in graph.operators:
        if graph.kind(operator) in _CONVOLUTIONS:
            continue
        for slot, index in enumerate(map(int, operator.inputs)):
            value = graph.constant(index)
            if value is not None and value.dtype == np.float32:
                if index not in done:
                    done[index] = _quantized_scalar(graph, index, value)
                operator.inputs[slot] = done[index]


def _quantized_scalar(graph: Graph, index: int, value: NDArray[np.float32]) -> int:
    if value.size != 1 or value.ravel()[0] <= 0:
        raise BuildError(f"the operand {graph.name(index)} is not one positive number")
    new = graph.add_constant(f"{graph.name(index)}/q", np.full(value.shape, _MOST_INT8, np.int8))
    graph.tensor(new).quantization = _parameters([float(value.ravel()[0]) / _MOST_INT8], [0])
    return new


def _parameters(scale: object, zero: object, axis: int = 0) -> object:
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(scale, np.float32)
    parameters.zeroPoint = np.asarray(zero, np.int64)
    parameters.quantizedDimension = axis
    return parameters
