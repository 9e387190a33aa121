"""A .tflite file with one subgraph, held in memory to be rewritten.

The file format is flatbuffers; ``ai_edge_litert.schema_py_generated`` is its object form. The attribute names
in camelCase below are the schema's.
"""
# ruff: noqa: N815  (names of the schema)

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from model_build.errors import BuildError

Constant = NDArray[Any]

FILE_IDENTIFIER = b"TFL3"
_FIRST_BUFFER_BYTES = 1 << 20
_LARGEST_OLD_OPCODE = 127
"""``deprecatedBuiltinCode`` is a signed byte; newer operators say 127 there."""

KIND_OF_OPCODE = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
DTYPE_OF_TYPE: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
    schema.TensorType.INT64: np.dtype(np.int64),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT16: np.dtype(np.int16),
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.UINT8: np.dtype(np.uint8),
}
TYPE_OF_DTYPE = {dtype: code for code, dtype in DTYPE_OF_TYPE.items()}


class Tensor(Protocol):
    """The schema's TensorT."""

    name: bytes
    shape: NDArray[np.int32]
    type: int
    buffer: int
    quantization: object


class Operator(Protocol):
    """The schema's OperatorT; ``builtinOptions`` is another class for each kind of operator."""

    opcodeIndex: int
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    builtinOptionsType: int
    builtinOptions: Any
    customOptions: Any


def indices(values: Iterable[int]) -> NDArray[np.int32]:
    """Tensor numbers as the schema wants them."""
    return np.array([int(value) for value in values], np.int32)


def empty_model() -> bytes:
    """The bytes of a .tflite file with one subgraph and nothing in it, to build upon."""
    model, sub = schema.ModelT(), schema.SubGraphT()
    model.version, model.operatorCodes, model.buffers, model.subgraphs = 3, [], [schema.BufferT()], [sub]
    sub.tensors, sub.operators, sub.inputs, sub.outputs = [], [], indices([]), indices([])
    return _packed(model)


class Graph:
    """The one subgraph of a model, its constants and its operators.

    Tensors are named by their index; -1 is an absent optional input.

    Args:
        data: the bytes of a .tflite file.

    Raises:
        BuildError: the file has more than one subgraph.
    """

    def __init__(self, data: bytes) -> None:
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
        if len(self.model.subgraphs) != 1:
            raise BuildError(f"the model has {len(self.model.subgraphs)} subgraphs; only one is handled")
        self._sub = self.model.subgraphs[0]

    # Reading

    @property
    def operators(self) -> list[Operator]:
        """The operators in the order they run; a new list each time, safe to walk while rewriting."""
        return list(self._sub.operators)

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors; the index is a tensor's name in the operators."""
        return list(self._sub.tensors)

    @property
    def input_tensor(self) -> int:
        """The first input tensor."""
        return int(self._sub.inputs[0])

    @input_tensor.setter
    def input_tensor(self, tensor: int) -> None:
        self._sub.inputs = indices([tensor])

    @property
    def output_tensor(self) -> int:
        """The first output tensor."""
        return int(self._sub.outputs[0])

    @output_tensor.setter
    def output_tensor(self, tensor: int) -> None:
        self._sub.outputs = indices([tensor])

    def kind(self, operator: Operator) -> str:
        """The operator's name in the schema, such as CONV_2D, or a custom operator's own name."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            return str(code.customCode.decode())
        return str(KIND_OF_OPCODE[max(code.builtinCode, code.deprecatedBuiltinCode)])

    def of_kind(self, *kinds: str) -> list[Operator]:
        """The operators of these kinds, in the order they run."""
        return [operator for operator in self.operators if self.kind(operator) in kinds]

    def tensor(self, index: int) -> Tensor:
        """The tensor of this index."""
        found: Tensor = self._sub.tensors[index]
        return found

    def name(self, index: int) -> str:
        """The tensor's name in the file."""
        return self.tensor(index).name.decode()

    def shape(self, index: int) -> list[int]:
        """The tensor's shape, batch first."""
        return [int(side) for side in self.tensor(index).shape]

    def constant(self, index: int) -> Constant | None:
        """The value of a constant tensor; None when it is computed or absent."""
        if index < 0:
            return None
        tensor = self.tensor(index)
        raw = self._raw(tensor)
        if not raw:
            return None
        return np.frombuffer(raw, DTYPE_OF_TYPE[tensor.type]).reshape(self.shape(index))

    def value(self, index: int) -> Constant:
        """The value of a tensor that must be constant.

        Raises:
            BuildError: it is computed.
        """
        found = self.constant(index)
        if found is None:
            raise BuildError(f"tensor {self.name(index)} is not a constant")
        return found

    def producer(self, index: int) -> Operator | None:
        """The operator that computes the tensor; None for inputs and constants."""
        return next((op for op in self.operators if index in op.outputs), None)

    def made_by(self, index: int) -> Operator:
        """The operator that computes a tensor that must be computed.

        Raises:
            BuildError: it is an input or a constant.
        """
        found = self.producer(index)
        if found is None:
            raise BuildError(f"tensor {self.name(index)} is not computed by any operator")
        return found

    def consumers(self, index: int) -> list[Operator]:
        """The operators that read the tensor."""
        return [op for op in self.operators if index in op.inputs]

    # Rewriting

    def set_constant(self, index: int, value: Constant) -> int:
        """Give a tensor a value, and its type and shape; returns the tensor."""
        tensor = self.tensor(index)
        tensor.type = TYPE_OF_DTYPE[value.dtype]
        tensor.shape = np.array(value.shape, np.int32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensor.buffer = len(self.model.buffers) - 1
        return index

    def add_tensor(self, name: str, shape: Sequence[int]) -> int:
        """A new computed float32 tensor."""
        tensor = schema.TensorT()
        tensor.name = name.encode()
        tensor.shape = indices(shape)
        tensor.type = schema.TensorType.FLOAT32
        tensor.buffer = 0
        self._sub.tensors.append(tensor)
        return len(self._sub.tensors) - 1

    def add_constant(self, name: str, value: Constant) -> int:
        """A new constant tensor."""
        return self.set_constant(self.add_tensor(name, value.shape), value)

    def new_operator(
        self,
        kind: str,
        inputs: Iterable[int],
        outputs: Iterable[int],
        options: object = None,
        version: int = 1,
    ) -> Operator:
        """An operator that is not yet in the graph.

        Args:
            kind: its name in the schema.
            inputs: tensors it reads.
            outputs: tensors it computes.
            options: the schema's options object for this kind, such as ``Conv2DOptionsT()``.
            version: the lowest operator version that knows what is asked for.
        """
        operator: Operator = schema.OperatorT()
        operator.opcodeIndex = self._opcode(getattr(schema.BuiltinOperator, kind), version)
        operator.inputs = indices(inputs)
        operator.outputs = indices(outputs)
        operator.builtinOptionsType = _options_type(options)
        operator.builtinOptions = options
        return operator

    def replace(self, old: Operator, new: Sequence[Operator]) -> None:
        """Put ``new`` where ``old`` runs."""
        place = next(k for k, operator in enumerate(self._sub.operators) if operator is old)
        self._sub.operators[place : place + 1] = new

    def drop(self, *unwanted: Operator) -> None:
        """Take operators out."""
        self._sub.operators = [op for op in self.operators if not any(op is other for other in unwanted)]

    def prepend(self, first: Sequence[Operator]) -> None:
        """Put operators before all others."""
        self._sub.operators = [*first, *self._sub.operators]

    def raise_versions(self, versions: dict[str, int]) -> None:
        """Raise each operator code's version to at least ``versions[kind]``."""
        for code in self.model.operatorCodes:
            kind = KIND_OF_OPCODE[max(code.builtinCode, code.deprecatedBuiltinCode)]
            code.version = max(code.version, versions.get(kind, 1))

    def sign(self, input_name: str, output_name: str) -> None:
        """Name input and output, and make them the model's one signature."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._signature_entry(input_name, self.input_tensor)]
        signature.outputs = [self._signature_entry(output_name, self.output_tensor)]
        self.model.signatureDefs = [signature]

    # Writing

    def packed(self) -> bytes:
        """The bytes of the .tflite file; unused tensors, buffers and operator codes are left out."""
        self._drop_unused_tensors()
        self._drop_unused_buffers()
        self._drop_unused_opcodes()
        return _packed(self.model)

    def copy(self) -> "Graph":
        """An independent graph, as if written to a file and read again."""
        return Graph(self.packed())

    def _raw(self, tensor: Tensor) -> bytes:
        data = self.model.buffers[tensor.buffer].data
        return b"" if data is None else bytes(bytearray(data))

    def _opcode(self, builtin: int, version: int) -> int:
        for k, code in enumerate(self.model.operatorCodes):
            if not code.customCode and max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
                code.version = max(code.version, version)
                return k
        code = schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = min(builtin, _LARGEST_OLD_OPCODE)
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def _signature_entry(self, name: str, index: int) -> object:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), index
        self.tensor(index).name = name.encode()
        return entry

    def _drop_unused_tensors(self) -> None:
        sub = self._sub
        ends = [*sub.inputs, *sub.outputs]
        touched = [i for op in sub.operators for i in (*op.inputs, *op.outputs)]
        used = sorted({int(i) for i in (*touched, *ends) if i >= 0})
        new_index = {old: new for new, old in enumerate(used)} | {-1: -1}
        sub.tensors = [sub.tensors[i] for i in used]
        for part in (*sub.operators, sub):
            part.inputs = indices(new_index[int(i)] for i in part.inputs)
            part.outputs = indices(new_index[int(i)] for i in part.outputs)
        for signature in self.model.signatureDefs or []:
            for entry in (*signature.inputs, *signature.outputs):
                entry.tensorIndex = new_index[int(entry.tensorIndex)]

    def _drop_unused_buffers(self) -> None:
        kept = [schema.BufferT()]
        for tensor in self._sub.tensors:
            if not self._raw(tensor):
                tensor.buffer = 0
                continue
            buffer = schema.BufferT()
            buffer.data = self.model.buffers[tensor.buffer].data
            kept.append(buffer)
            tensor.buffer = len(kept) - 1
        self.model.buffers = kept

    def _drop_unused_opcodes(self) -> None:
        new_index: dict[int, int] = {}
        kept: list[Any] = []
        for operator in self._sub.operators:
            if operator.opcodeIndex not in new_index:
                new_index[operator.opcodeIndex] = len(kept)
                kept.append(self.model.operatorCodes[operator.opcodeIndex])
            operator.opcodeIndex = new_index[operator.opcodeIndex]
        self.model.operatorCodes = kept


def _packed(model: Any) -> bytes:  # noqa: ANN401  (the schema is untyped)
    builder = flatbuffers.Builder(_FIRST_BUFFER_BYTES)
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def _options_type(options: object) -> int:
    """The schema's number for an options object: ``Conv2DOptionsT`` is ``BuiltinOptions.Conv2DOptions``."""
    if options is None:
        return 0
    return int(getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T")))
