"""The TOML that stands beside a model: what scrim must know to run it."""

from dataclasses import dataclass

MEDIAPIPE = "MediaPipe 0.10.21 (Google)"
LICENCE = "Apache-2.0"

_TEMPLATE = """\
# Written by scripts/build-model; README.md says how this model was made.
name = "{name}"
form = "{form}"
file = "{file}"
sha256 = "{sha256}"
licence = "{licence}"
origin = "{original} of {mediapipe}, sha256 {original_sha256}; converted by scripts/build-model"

[input]
width = {width}
height = {height}
channels = 3
range = [0.0, 1.0]
dtype = "{dtype}"

[output]
kind = "{kind}"
width = {width}
height = {height}
channels = 1
range = {output_range}
dtype = "{dtype}"
block = {block}
"""


@dataclass(frozen=True, slots=True)
class Described:
    """What differs from model to model.

    Attributes:
        size: (width, height) in pixels of input and mask.
        form: int8, float16, tpu-int8 or edgetpu.
        file: name of the .tflite file.
        sha256: its hash.
        original: name of the wheel's file it was made from.
        original_sha256: that file's hash.
    """

    size: tuple[int, int]
    form: str
    file: str
    sha256: str
    original: str
    original_sha256: str

    def toml(self) -> str:
        """The text of the TOML."""
        width, height = self.size
        in_blocks = self.form in ("tpu-int8", "edgetpu")
        return _TEMPLATE.format(
            name=f"person-{width}x{height}",
            form=self.form,
            file=self.file,
            sha256=self.sha256,
            licence=LICENCE,
            original=self.original,
            mediapipe=MEDIAPIPE,
            original_sha256=self.original_sha256,
            width=width,
            height=height,
            dtype="float32" if self.form == "float16" else "int8",
            kind="logits" if in_blocks else "alpha",
            output_range="[-8.0, 8.0]" if in_blocks else "[0.0, 1.0]",
            block=2 if in_blocks else 1,
        )
