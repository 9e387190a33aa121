"""From a picture to a model's input tensor, and from its output tensor to a mask; nothing allocated per call.

What bytes become is worked out once, for all 256 of them: an integer model's output goes through a table,
even where the table is a sigmoid. A tensor of floats is filled, and one alpha for each pixel read from one,
by a small extension in C where that was built; to the bytes that OpenCV and NumPy give.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scrim.core.segment.model import InputSpec, OutputSpec
from scrim.core.segment.tensors import TensorInfo, value_span
from scrim.frame import Mask, Plane

Tensor = NDArray[Any]
Feed = Callable[[Plane, Tensor], None]
"""Writes a picture, (height, width, 3) uint8, into an input tensor of shape (1, height, width, 3)."""

Shares = Callable[[Tensor], NDArray[np.float32]]
"""The person's share, 0 to 1, at each position of a float32 tensor (..., channels); kept until the next."""

_TOP_BIT = np.uint8(0x80)
_BYTES = np.arange(256, dtype=np.uint8)
_UPPER_BITS = np.uint32(0xFFFF0000)
"""Of a float: times a byte, what is left of it is exact."""


def make_feed(spec: InputSpec, info: TensorInfo) -> Feed:
    """How to fill the input tensor.

    Args:
        spec: what the TOML declares.
        info: what the file has; its scale and zero point count where the tensor is of integers.
    """
    low, high = spec.range
    real = low + _BYTES.astype(np.float64) / 255 * (high - low)
    if spec.dtype == "float32":
        return best_float_feed(real.astype(np.float32), low, (high - low) / 255)
    first = -128 if spec.dtype == "int8" else 0
    codes = np.clip(np.rint(real / info.scale) + info.zero_point, first, first + 255)
    table = codes.astype(np.int16).astype(np.uint8)
    return _feed_flipped if np.array_equal(table, _BYTES ^ _TOP_BIT) else _feed_by_table(table)


def best_float_feed(table: NDArray[np.float32], low: float, step: float) -> Feed:
    """How to fill a tensor of floats: by the extension where it gives what the table says, else by the table.

    Args:
        table: what each byte becomes, 256 entries.
        low: the first of them.
        step: from each to the next, before rounding.
    """
    try:
        from scrim.core._picture import feed
    except ImportError:
        return _feed_by_table(table)
    coarse = float((np.array([step], np.float32).view(np.uint32) & _UPPER_BITS).view(np.float32)[0])
    numbers = low, coarse, step - coarse
    made = np.zeros(256, np.float32)
    feed(made, _BYTES, *numbers)
    if not np.array_equal(made, table):
        return _feed_by_table(table)
    return lambda rgb, tensor: feed(tensor, rgb, *numbers)


def _feed_flipped(rgb: Plane, tensor: Tensor) -> None:
    np.bitwise_xor(rgb, _TOP_BIT, out=tensor[0].view(np.uint8))


def _feed_by_table(table: NDArray[np.float32] | NDArray[np.uint8]) -> Feed:
    import cv2

    def feed(rgb: Plane, tensor: Tensor) -> None:
        cv2.LUT(rgb, table, dst=tensor[0].view(table.dtype))

    return feed


class MaskReader:
    """Reads the output tensor into one mask that is kept.

    Attributes:
        mask: (height, width) uint8, overwritten by each ``read``.

    Args:
        spec: what the TOML declares.
        info: what the file has.
    """

    def __init__(self, spec: OutputSpec, info: TensorInfo) -> None:
        self.mask: Mask = np.zeros((spec.height, spec.width), np.uint8)
        side = spec.block
        rows, columns = spec.height // side, spec.width // side
        # The mask seen as (rows, side, columns, side), its axes ordered as the tensor has them.
        self._blocks = self.mask.reshape(rows, side, columns, side).transpose(0, 2, 1, 3)
        self._cells = (rows, columns, side, side)
        self._read = self._reader(spec, info)

    def read(self, tensor: Tensor) -> bool:
        """Fill the mask from this output.

        It answers instead of raising, because a traceback would keep the tensor's view alive, and while a
        view is alive the runtime refuses to run.

        Args:
            tensor: the output tensor; not kept.

        Returns:
            Whether it is a mask; False when it holds NaN or infinity, the mask then being as it was.
        """
        return self._read(tensor)

    def _reader(self, spec: OutputSpec, info: TensorInfo) -> Callable[[Tensor], bool]:
        if spec.kind == "classes":
            return self._classes(spec)
        if info.dtype != "float32" and spec.channels == 1:
            return self._by_table(spec, info)
        if spec.kind == "alpha" and spec.channels == 1 and spec.block == 1:
            return best_alpha_read(spec, info, self.mask) or self._by_shares(spec, info)
        return self._by_shares(spec, info)

    def _by_table(self, spec: OutputSpec, info: TensorInfo) -> Callable[[Tensor], bool]:
        """One byte in, one byte out."""
        import cv2

        table = byte_table(spec, info)
        codes = np.zeros((*self._cells[:2], spec.block * spec.block), np.uint8)
        bytes_out = self.mask if spec.block == 1 else np.zeros_like(codes)

        def read(tensor: Tensor) -> bool:
            cv2.LUT(tensor.view(np.uint8).reshape(bytes_out.shape), table, dst=bytes_out)
            if bytes_out is not self.mask:
                np.copyto(self._blocks, bytes_out.reshape(self._cells))
            return True

        return read

    def _by_shares(self, spec: OutputSpec, info: TensorInfo) -> Callable[[Tensor], bool]:
        shape = (*self._cells, spec.channels)
        real, finite = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        shares = make_shares(spec, info, shape)

        def read(tensor: Tensor) -> bool:
            _to_real(tensor.reshape(shape), info, real)
            if not np.isfinite(real, out=finite).all():
                return False
            _to_bytes(shares(real), self._blocks)
            return True

        return read

    def _classes(self, spec: OutputSpec) -> Callable[[Tensor], bool]:
        """All or nothing: the person's class, or another."""
        scores = spec.channels > 1
        shape = (spec.height, spec.width, spec.channels)[: 3 if scores else 2]
        winner = np.zeros(shape[:2], np.intp)
        is_person = np.zeros(shape[:2], np.bool_)

        def read(tensor: Tensor) -> bool:
            found = tensor.reshape(shape)
            if found.dtype.kind == "f" and not np.isfinite(found).all():
                return False
            number = np.argmax(found, axis=-1, out=winner) if scores else found
            np.equal(number, spec.person_index, out=is_person)
            np.multiply(is_person, np.uint8(255), out=self.mask)
            return True

        return read


def best_alpha_read(spec: OutputSpec, info: TensorInfo, mask: Mask) -> Callable[[Tensor], bool] | None:
    """How the extension reads one alpha for each pixel, in floats; None where it was not built.

    Args:
        spec: its range counts.
        info: what the file has.
        mask: filled by each call.
    """
    try:
        from scrim.core._picture import read_shares
    except ImportError:
        return None
    low, factor = _span(spec, info)
    return lambda tensor: read_shares(mask, tensor, low, factor)


def byte_table(spec: OutputSpec, info: TensorInfo) -> NDArray[np.uint8]:
    """What each byte of a one-channel integer output is in the mask, 256 entries, indexed by the raw byte."""
    codes = _BYTES.view(np.int8 if info.dtype == "int8" else np.uint8)
    real = np.zeros((256, 1), np.float32)
    _to_real(codes[:, None], info, real)
    table = np.zeros(256, np.uint8)
    _to_bytes(make_shares(spec, info, real.shape)(real), table)
    return table


def make_shares(spec: OutputSpec, info: TensorInfo, shape: tuple[int, ...]) -> Shares:
    """How to get from the model's numbers to the person's share.

    Args:
        spec: kind, range, channels and the person's index.
        info: what the file has; an integer tensor's last step counts as reaching the end of the range.
        shape: of the tensors to come, channels last.
    """
    if spec.kind == "logits":
        return _sigmoid(shape) if spec.channels == 1 else _softmax(shape, spec.person_index)
    return _scaled(shape, spec.person_index, *_span(spec, info))


def _span(spec: OutputSpec, info: TensorInfo) -> tuple[float, float]:
    """What counts as 0, and the factor that makes 1 of what counts as 1."""
    low, high = spec.range
    if info.dtype != "float32":
        least, most = value_span(info)
        low, high = max(low, least), min(high, most)
    return low, 1 / (high - low)


def _sigmoid(shape: tuple[int, ...]) -> Shares:
    share = np.zeros(shape[:-1], np.float32)

    def shares(real: Tensor) -> NDArray[np.float32]:
        # 1 / (1 + exp(-x)), written so that nothing overflows.
        np.multiply(real[..., 0], 0.5, out=share)
        np.tanh(share, out=share)
        np.multiply(share, 0.5, out=share)
        return np.add(share, 0.5, out=share)

    return shares


def _softmax(shape: tuple[int, ...], person: int) -> Shares:
    powers = np.zeros(shape, np.float32)
    greatest = np.zeros((*shape[:-1], 1), np.float32)
    share = np.zeros(shape[:-1], np.float32)

    def shares(real: Tensor) -> NDArray[np.float32]:
        np.amax(real, axis=-1, keepdims=True, out=greatest)
        np.exp(np.subtract(real, greatest, out=powers), out=powers)
        np.sum(powers, axis=-1, out=share)
        return np.divide(powers[..., person], share, out=share)

    return shares


def _scaled(shape: tuple[int, ...], person: int, low: float, factor: float) -> Shares:
    share = np.zeros(shape[:-1], np.float32)

    def shares(real: Tensor) -> NDArray[np.float32]:
        np.subtract(real[..., person], low, out=share)
        return np.multiply(share, factor, out=share)

    return shares


def _to_real(codes: Tensor, info: TensorInfo, real: NDArray[np.float32]) -> None:
    """The real numbers an integer tensor stands for; a float tensor is them already."""
    if info.dtype == "float32":
        np.copyto(real, codes)
        return
    np.subtract(codes, np.float32(info.zero_point), out=real)
    np.multiply(real, np.float32(info.scale), out=real)


def _to_bytes(share: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """0 to 1 as 0 to 255, rounded, what lies outside cut; ``share`` is used up."""
    np.multiply(share, 255, out=share)
    np.rint(share, out=share)
    np.clip(share, 0, 255, out=share)
    np.copyto(out, share, casting="unsafe")
