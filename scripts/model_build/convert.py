"""MediaPipe's own file to a float32 graph of standard operators, with the same answer.

The result has one input [1, H, W, 3] in 0..1, RGB, and one output [1, H, W, 1] in 0..1, the person's alpha.
"""

import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model_build.errors import BuildError
from model_build.graph import Graph, Operator, indices

_CUSTOM_HEAD = "Convolution2DTransposeBias"
_ACTIVATION = {
    "RELU": schema.ActivationFunctionType.RELU,
    "RELU6": schema.ActivationFunctionType.RELU6,
}
_FUSABLE = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")
_VALID_PADDING = 1


def to_standard_float(original: bytes) -> Graph:
    """Convert one of the wheel's two files.

    Args:
        original: bytes of the .tflite file.

    Returns:
        A graph any TFLite runtime runs: float32, original input size.

    Raises:
        BuildError: the file is not built like the two this was written for.
    """
    graph = Graph(original)
    unfold_half_constants(graph)
    standard_transpose_conv(graph)
    fuse_activations(graph)
    convolve_before_resize(graph)
    return graph


def finish(graph: Graph) -> Graph:
    """Name input and output and pack: the last step of a conversion."""
    # The metadata names a label file in a zip tail that is not kept.
    graph.model.metadata = None
    graph.sign("image", "person")
    graph.model.description = b"person segmentation; converted to standard TFLite ops"
    return graph.copy()


def unfold_half_constants(graph: Graph) -> None:
    """float16 constants behind DEQUANTIZE become float32 constants; the values stay the same."""
    for operator in graph.of_kind("DEQUANTIZE"):
        half = graph.constant(int(operator.inputs[0]))
        if half is not None and half.dtype == np.float16:
            graph.set_constant(int(operator.outputs[0]), half.astype(np.float32))
            graph.drop(operator)


def standard_transpose_conv(graph: Graph) -> None:
    """MediaPipe's custom head becomes TRANSPOSE_CONV, version 3 (the first with a bias)."""
    for operator in graph.of_kind(_CUSTOM_HEAD):
        padding, stride_w, stride_h = struct.unpack("<iii", bytes(bytearray(operator.customOptions))[:12])
        data, weights, bias = (int(i) for i in operator.inputs)
        out = int(operator.outputs[0])
        shape = graph.add_constant("transpose_conv/output_shape", np.array(graph.shape(out), np.int32))
        options = schema.TransposeConvOptionsT()
        # The custom operator counts paddings from 1, the schema from 0.
        options.padding, options.strideW, options.strideH = padding - 1, stride_w, stride_h
        inputs = [shape, weights, data, bias]
        graph.replace(operator, [graph.new_operator("TRANSPOSE_CONV", inputs, [out], options, version=3)])


def fuse_activations(graph: Graph) -> None:
    """RELU and RELU6 move into the operator before them where nothing else reads its result."""
    for operator in graph.of_kind(*_ACTIVATION):
        source = int(operator.inputs[0])
        before = graph.producer(source)
        if before is None or graph.kind(before) not in _FUSABLE or len(graph.consumers(source)) != 1:
            continue
        if before.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE:
            before.builtinOptions.fusedActivationFunction = _ACTIVATION[graph.kind(operator)]
            before.outputs = indices([operator.outputs[0]])
            graph.drop(operator)


def convolve_before_resize(graph: Graph) -> None:
    """A 1x1 convolution after a bilinear upsampling moves in front of it, onto a quarter of the pixels.

    Both are linear and the bilinear weights sum to one, so the result is the same.
    """
    for resize in graph.of_kind("RESIZE_BILINEAR"):
        users = graph.consumers(int(resize.outputs[0]))
        if len(users) == 1 and _is_plain_1x1(graph, users[0]):
            _swap_resize_and_convolution(graph, resize, users[0])


def _is_plain_1x1(graph: Graph, operator: Operator) -> bool:
    if graph.kind(operator) != "CONV_2D" or graph.shape(int(operator.inputs[1]))[1:3] != [1, 1]:
        return False
    options = operator.builtinOptions
    return bool(
        options.fusedActivationFunction == schema.ActivationFunctionType.NONE and options.strideW == 1
    )


def _swap_resize_and_convolution(graph: Graph, resize: Operator, convolution: Operator) -> None:
    data, out = int(resize.inputs[0]), int(convolution.outputs[0])
    batch, height, width, _ = graph.shape(data)
    small = graph.add_tensor(f"{graph.name(out)}/small", [batch, height, width, graph.shape(out)[3]])
    convolution.inputs = indices([data, *convolution.inputs[1:]])
    convolution.outputs = indices([small])
    resize.inputs = indices([small, resize.inputs[1]])
    resize.outputs = indices([out])
    graph.drop(convolution)
    graph.replace(resize, [convolution, resize])


def global_pool_as_mean(graph: Graph) -> None:
    """An AVERAGE_POOL_2D over the whole picture becomes MEAN over height and width, free of the size."""
    axes: int | None = None
    for operator in graph.of_kind("AVERAGE_POOL_2D"):
        data = int(operator.inputs[0])
        window = [operator.builtinOptions.filterHeight, operator.builtinOptions.filterWidth]
        if window != graph.shape(data)[1:3]:
            continue
        if axes is None:
            axes = graph.add_constant("mean/axes", np.array([1, 2], np.int32))
        options = schema.ReducerOptionsT()
        options.keepDims = True
        graph.replace(operator, [graph.new_operator("MEAN", [data, axes], operator.outputs, options)])


def head_as_blocks(graph: Graph) -> None:
    """The 2x2, stride-2 TRANSPOSE_CONV becomes a 1x1 CONV_2D to four channels and DEPTH_TO_SPACE.

    Raises:
        BuildError: there is a TRANSPOSE_CONV of another shape.
    """
    for operator in graph.of_kind("TRANSPOSE_CONV"):
        _, weights_at, data, bias_at = (int(i) for i in operator.inputs)
        weights, bias = graph.value(weights_at), graph.value(bias_at)
        if weights.shape[:3] != (1, 2, 2) or operator.builtinOptions.strideW != 2:
            raise BuildError(
                f"the head has weights of shape {weights.shape}, expected (1, 2, 2, n), stride 2"
            )
        batch, height, width, _ = graph.shape(data)
        blocks = graph.add_tensor("head/blocks", [batch, height, width, 4])
        inputs = [
            data,
            graph.add_constant("head/w", weights.reshape(4, 1, 1, weights.shape[3])),
            graph.add_constant("head/b", np.repeat(bias, 4)),
        ]
        convolution = graph.new_operator("CONV_2D", inputs, [blocks], plain_convolution_options())
        spread = schema.DepthToSpaceOptionsT()
        spread.blockSize = 2
        graph.replace(
            operator, [convolution, graph.new_operator("DEPTH_TO_SPACE", [blocks], operator.outputs, spread)]
        )


def plain_convolution_options() -> object:
    """Options of a CONV_2D with stride 1 and no activation."""
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = 1
    return options


def store_half(graph: Graph) -> None:
    """Constants are stored as float16 behind DEQUANTIZE: half the file, computed in float32 all the same.

    The originals are float16, so nothing is lost.
    """
    constants = {}
    for operator in graph.operators:
        for index in map(int, operator.inputs):
            value = graph.constant(index)
            if value is not None and value.dtype == np.float32 and value.size > 1:
                constants[index] = value
    graph.prepend([_half_behind_dequantize(graph, index, value) for index, value in constants.items()])


def _half_behind_dequantize(
    graph: Graph, index: int, value: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> Operator:
    half = graph.add_constant(f"{graph.name(index)}/f16", value.astype(np.float16))
    graph.tensor(index).buffer = 0
    return graph.new_operator("DEQUANTIZE", [half], [index], schema.DequantizeOptionsT(), version=3)
