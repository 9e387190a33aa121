"""Operators an Edge TPU can map, and the call of its compiler.

The Edge TPU knows neither HARD_SWISH, nor half-pixel RESIZE_BILINEAR, nor TRANSPOSE_CONV version 3. The
rewrite is exact but for the outermost pixels. The head stops at the four logits of each 2x2 block of
pixels: sigmoid and interleave are a table look-up on the CPU.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model_build.errors import BuildError
from model_build.graph import Graph, Operator, indices

COMPILER = "edgetpu_compiler"
_COMPILE_TIMEOUT_S = 600.0
_TENT = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16


def to_edgetpu_operators(graph: Graph) -> None:
    """Rewrite a converted graph, its HARD_SWISH already expanded, its head in blocks.

    Raises:
        BuildError: the graph is not built like that.
    """
    _resize_as_nearest_and_tent(graph)
    _gates_as_convolutions(graph)
    _stop_at_logits(graph)


def _resize_as_nearest_and_tent(graph: Graph) -> None:
    """Twofold half-pixel bilinear upsampling is nearest neighbour, then a depthwise [1 2 1] / 4 tent."""
    for operator in graph.of_kind("RESIZE_BILINEAR"):
        data, out = int(operator.inputs[0]), int(operator.outputs[0])
        name, shape = graph.name(out), graph.shape(out)
        nearest = graph.add_tensor(f"{name}/nearest", shape)
        tent = graph.add_constant(f"{name}/tent", np.repeat(_TENT[None, :, :, None], shape[3], 3))
        zero = graph.add_constant(f"{name}/zero", np.zeros(shape[3], np.float32))
        repeat = schema.ResizeNearestNeighborOptionsT()
        graph.replace(
            operator,
            [
                graph.new_operator(
                    "RESIZE_NEAREST_NEIGHBOR", [data, int(operator.inputs[1])], [nearest], repeat
                ),
                graph.new_operator("DEPTHWISE_CONV_2D", [nearest, tent, zero], [out], _depthwise_options()),
            ],
        )


def _depthwise_options() -> object:
    options = schema.DepthwiseConv2DOptionsT()
    options.strideW = options.strideH = options.depthMultiplier = 1
    options.dilationWFactor = options.dilationHFactor = 1
    return options


def _gates_as_convolutions(graph: Graph) -> None:
    """``relu6(conv(x) + 3)`` is a second convolution with three more in its bias: no constant operand."""
    for operator in graph.of_kind("ADD"):
        offset = graph.constant(int(operator.inputs[1]))
        if offset is None:
            continue
        convolution = graph.made_by(int(operator.inputs[0]))
        if graph.kind(convolution) not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            raise BuildError(f"the gate {graph.name(int(operator.outputs[0]))} does not follow a convolution")
        graph.replace(operator, [_twin_with_offset(graph, convolution, operator, offset)])


def _twin_with_offset(
    graph: Graph,
    convolution: Operator,
    gate: Operator,
    offset: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> Operator:
    options = type(convolution.builtinOptions)()
    vars(options).update(vars(convolution.builtinOptions))
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    twin: Operator = schema.OperatorT()
    vars(twin).update(vars(convolution))
    twin.builtinOptions = options
    name = graph.name(int(gate.outputs[0]))
    data, weights, bias = (int(i) for i in convolution.inputs)
    own_weights = graph.add_constant(f"{name}/w", graph.value(weights))
    own_bias = graph.add_constant(f"{name}/b", graph.value(bias) + offset)
    twin.inputs = indices([data, own_weights, own_bias])
    twin.outputs = indices(gate.outputs)
    return twin


def _stop_at_logits(graph: Graph) -> None:
    """Drop the interleave and the sigmoid at the end."""
    *_, sigmoid = graph.of_kind("LOGISTIC")
    *_, spread = graph.of_kind("DEPTH_TO_SPACE")
    if graph.output_tensor not in sigmoid.outputs or int(sigmoid.inputs[0]) not in spread.outputs:
        raise BuildError("the graph does not end in DEPTH_TO_SPACE and LOGISTIC")
    graph.output_tensor = int(spread.inputs[0])
    graph.drop(spread, sigmoid)


def compile_for_edgetpu(models: list[Path]) -> list[Path]:
    """Compile tpu-int8 files with ``edgetpu_compiler``, each to ``<stem>_edgetpu.tflite`` beside it.

    Args:
        models: uncompiled files.

    Returns:
        The compiled files.

    Raises:
        BuildError: the compiler is not installed or refused a model; the text says what to do.
    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise BuildError(
            f"{COMPILER} is not installed: the tpu-int8 files stay uncompiled. Install Coral's package"
            " edgetpu-compiler on an x86-64 Debian machine and run scripts/build-model --edgetpu there"
        )
    return [_compiled(compiler, model) for model in models]


def _compiled(compiler: str, model: Path) -> Path:
    command = [compiler, "-s", "-o", str(model.parent), str(model)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{COMPILER} did not run: {error}") from error
    result = model.with_name(f"{model.stem}_edgetpu.tflite")
    if done.returncode or not result.is_file():
        raise BuildError(f"{COMPILER} refused {model.name}: {(done.stderr or done.stdout).strip()}")
    return result
