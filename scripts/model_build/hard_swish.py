"""HARD_SWISH in operators that quantise well: ``x * relu6(x + 3) / 6`` as ADD with RELU6, then MUL.

The division by six has no operator of its own: the result stays six times too large, and the factor is
carried along to the next convolution, whose weights take it back out.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from model_build.errors import BuildError
from model_build.graph import Graph, Operator

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
_KEEPS_FACTOR = ("MEAN", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "DEPTH_TO_SPACE")
_HARD_SWISH_DIVISOR = 6.0


def convolution_slots(kind: str) -> tuple[int, int, int]:
    """Which inputs of a convolution are (data, weights, bias)."""
    return (2, 1, 3) if kind == "TRANSPOSE_CONV" else (0, 1, 2)


def expand_hard_swish(graph: Graph) -> None:
    """Rewrite every HARD_SWISH.

    Raises:
        BuildError: a factor of six would reach an operator that must see the true value.
    """
    _Expansion(graph).run()


class _Expansion:
    """One walk through the graph; ``factor`` says how many times too large each tensor is."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.factor: dict[int, float] = {}
        self.three = graph.add_constant("hswish/three", np.array([3.0], np.float32))

    def run(self) -> None:
        for operator in self.graph.operators:
            self._visit(operator)
        if self._factor(self.graph.output_tensor) != 1.0:
            raise BuildError("the output would be six times too large")

    def _factor(self, tensor: int) -> float:
        return self.factor.get(tensor, 1.0)

    def _visit(self, operator: Operator) -> None:
        kind, out = self.graph.kind(operator), int(operator.outputs[0])
        factors = [self._factor(int(i)) for i in operator.inputs]
        if kind == "HARD_SWISH":
            self._expand(operator)
        elif kind in _CONVOLUTIONS:
            self._rescale(operator, factors[convolution_slots(kind)[0]], 1.0)
            self.factor[out] = 1.0
        elif kind == "MUL":
            self.factor[out] = factors[0] * factors[1]
        elif kind in ("ADD", "CONCATENATION"):
            self._level(operator, max(factors))
        elif kind in _KEEPS_FACTOR:
            self.factor[out] = factors[0]
        else:
            self._expect_true(operator)

    def _expect_true(self, operator: Operator) -> None:
        data = int(operator.inputs[0])
        if self._factor(data) != 1.0:
            raise BuildError(
                f"{self.graph.kind(operator)} reads {self.graph.name(data)}, six times too large"
            )

    def _expand(self, operator: Operator) -> None:
        self._expect_true(operator)
        graph, data, out = self.graph, int(operator.inputs[0]), int(operator.outputs[0])
        gate = graph.add_tensor(f"{graph.name(out)}/gate", graph.shape(out))
        add = schema.AddOptionsT()
        add.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        graph.replace(
            operator,
            [
                graph.new_operator("ADD", [data, self.three], [gate], add),
                graph.new_operator("MUL", [data, gate], [out], schema.MulOptionsT()),
            ],
        )
        self.factor[out] = _HARD_SWISH_DIVISOR

    def _rescale(self, convolution: Operator, factor_in: float, factor_out: float) -> None:
        """Let a convolution read data ``factor_in`` times too large and answer ``factor_out`` times so."""
        if factor_in == factor_out:
            return
        _, weights_slot, bias_slot = convolution_slots(self.graph.kind(convolution))
        weights_at, bias_at = int(convolution.inputs[weights_slot]), int(convolution.inputs[bias_slot])
        weights, bias = self.graph.value(weights_at), self.graph.value(bias_at)
        self.graph.set_constant(weights_at, (weights * (factor_out / factor_in)).astype(np.float32))
        self.graph.set_constant(bias_at, (bias * factor_out).astype(np.float32))

    def _level(self, operator: Operator, factor: float) -> None:
        """Bring all inputs of a sum to the same factor."""
        for index in map(int, operator.inputs):
            if self._factor(index) != factor:
                self._raise_source(index, factor)
        self.factor[int(operator.outputs[0])] = factor

    def _raise_source(self, index: int, factor: float) -> None:
        """Multiply the convolution that a tensor comes from, through resizes."""
        graph, at = self.graph, index
        source = graph.made_by(at)
        while graph.kind(source) == "RESIZE_BILINEAR":
            self.factor[at] = factor
            at = int(source.inputs[0])
            source = graph.made_by(at)
        self._expect_linear(source)
        self._rescale(source, 1.0, factor)
        self.factor[index] = self.factor[at] = factor

    def _expect_linear(self, source: Operator) -> None:
        """A factor may pass NONE and RELU, but not RELU6."""
        none, relu = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU
        is_convolution = self.graph.kind(source) == "CONV_2D"
        if not is_convolution or source.builtinOptions.fusedActivationFunction not in (none, relu):
            raise BuildError(f"{self.graph.kind(source)} cannot be made six times larger")
