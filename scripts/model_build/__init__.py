"""Makes scrim's person models from the two files in MediaPipe's wheel, bit for bit, without TensorFlow.

The way of one model::

    originals   the two .tflite files, out of the wheel, by sha256
    convert     standard operators only, float32
    hard_swish  for the integer forms: add, clip and multiply instead of HARD_SWISH
    edgetpu     for the tpu-int8 form: operators on the Edge TPU's list only
    resize      the input size, same weights
    quantize    int8 weights and activations, by recorded ranges
    spec        the TOML that stands beside the file

``recipe`` says which of these make which file; ``cli`` is ``scripts/build-model``.
"""
