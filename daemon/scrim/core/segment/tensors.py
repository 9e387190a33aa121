"""The tensors at both ends of a model file, held against what the TOML declares."""

from dataclasses import dataclass

from scrim.core.segment.model import Dtype, ModelSpec, SpecError
from scrim.errors import Problem


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One end of a model, as the file has it.

    Attributes:
        name: the tensor's name in the file.
        shape: batch first.
        dtype: NumPy's name of the element type.
        scale: real numbers per integer step; 0 where the tensor is not quantised.
        zero_point: the integer that means 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


def check_tensors(spec: ModelSpec, given: TensorInfo, taken: TensorInfo) -> None:
    """Compare what the TOML declares with what the file has.

    Args:
        spec: the declaration.
        given: the file's input tensor.
        taken: the file's output tensor.

    Raises:
        SpecError: they differ; each difference names both.
    """
    wanted = (1, spec.input.height, spec.input.width, spec.input.channels)
    problems = _shape_problems("input", wanted, given, 1)
    problems += _shape_problems("output", spec.output.tensor_shape, taken, spec.output.block)
    problems += _type_problems("input", spec.input.dtype, spec.input.range, given)
    # Logits may be cut anywhere and class numbers are counted, not scaled.
    span = spec.output.range if spec.output.kind in ("alpha", "softmax") else None
    problems += _type_problems("output", spec.output.dtype, span, taken)
    if problems:
        raise SpecError(problems, f"{spec.name} ({spec.form}), {spec.path}")


def _shape_problems(end: str, wanted: tuple[int, ...], info: TensorInfo, block: int) -> list[Problem]:
    in_file = "x".join(map(str, info.shape))
    has = f"the file's tensor {info.name!r} has shape {in_file}"
    # A class per pixel, or one alpha, often comes without a last axis.
    shape = (*info.shape, 1) if wanted[3] == 1 and len(info.shape) == 3 else info.shape
    if len(shape) != len(wanted) or shape[0] != 1:
        return [Problem(end, "x".join(map(str, wanted)), has, f"four axes, the first 1, in {end}")]
    problems = []
    for name, declared, found, cells in zip(
        ("height", "width", "channels"), wanted[1:], shape[1:], (block, block, 1 / block**2), strict=True
    ):
        if declared != found:
            allowed = f"{found * cells:g}" + (f" with block = {block}" if block > 1 else "")
            problems.append(Problem(f"{end}.{name}", f"{declared * cells:g}", has, allowed))
    return problems


def _type_problems(
    end: str, declared: Dtype, span: tuple[float, float] | None, info: TensorInfo
) -> list[Problem]:
    if info.dtype != declared:
        has = f"the file's tensor {info.name!r} is {info.dtype}"
        return [Problem(f"{end}.dtype", declared, has, info.dtype)]
    if declared not in ("int8", "uint8"):
        return []
    least, most = value_span(info)
    step, shown = info.scale, f"[{least:g}, {most:g}]"
    if span is not None and (step <= 0 or not _covers((least, most), span, step)):
        has = f"the file's tensor {info.name!r} can hold {shown}"
        return [Problem(f"{end}.range", f"[{span[0]:g}, {span[1]:g}]", has, f"within {shown}")]
    return []


def value_span(info: TensorInfo) -> tuple[float, float]:
    """The least and the greatest real number an int8 or uint8 tensor can hold."""
    first = -128 if info.dtype == "int8" else 0
    return (first - info.zero_point) * info.scale, (first + 255 - info.zero_point) * info.scale


def _covers(held: tuple[float, float], span: tuple[float, float], step: float) -> bool:
    """Whether a tensor reaches over a range, give or take one step."""
    slack = step * 1.001
    return held[0] <= span[0] + slack and held[1] >= span[1] - slack
