"""External delegates: small ones in C that work, find no device, or refuse the model."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.model import models_folder
from scrim.core.segment.tflite import TFLiteSegmenter
from scrim.errors import ModelError

# The first two members of the runtime's delegate structure; the others are zero and unused here.
SOURCE = """
#include <stdio.h>
#include <stdlib.h>
struct delegate { void *data; int (*prepare)(void *, struct delegate *); void *others[14]; };
static int prepare(void *context, struct delegate *self) { (void)context; (void)self; return PREPARE; }
static struct delegate only = { 0, prepare, { 0 } };
void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    (void)keys; (void)values; (void)count;
    if (FOUND) return &only;
    report("planted: no device");
    return 0;
}
void tflite_plugin_destroy_delegate(void *delegate) {
    FILE *log = delegate ? fopen(LOG, "a") : 0;
    if (log) { fputs("destroyed\\n", log); fclose(log); }
}
"""


@pytest.fixture
def build(tmp_path: Path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make a delegate with")

    def make(*, found: int = 1, prepare: int = 0) -> Path:
        source, library = tmp_path / "delegate.c", tmp_path / f"libdelegate-{found}-{prepare}.so"
        source.write_text(SOURCE)
        defines = [f"-DFOUND={found}", f"-DPREPARE={prepare}", f'-DLOG="{tmp_path / "log"}"']
        command = [compiler, "-shared", "-fPIC", *defines, "-o", str(library), str(source)]
        subprocess.run(command, check=True, timeout=600)
        return library

    return make


@pytest.fixture(scope="module")
def spec():
    return Catalogue(models_folder())["person-192x112"]["float16"]


def test_a_delegate_is_used_and_destroyed_at_close(build, spec, tmp_path):
    segmenter = TFLiteSegmenter(spec, delegate=str(build()))
    width, height = segmenter.input_size
    mask = segmenter.segment(np.zeros((height, width, 3), np.uint8))
    assert mask.shape == (height, width)
    assert not (tmp_path / "log").exists()
    segmenter.close()
    assert (tmp_path / "log").read_text() == "destroyed\n"


def test_no_device_is_told_in_the_delegate_s_words(build, spec):
    with pytest.raises(ModelError, match="planted: no device"):
        TFLiteSegmenter(spec, delegate=str(build(found=0)))


def test_a_delegate_that_refuses_the_model_is_told(build, spec):
    library = str(build(prepare=1))
    with pytest.raises(ModelError, match=f"cannot run it with delegate {library}"):
        TFLiteSegmenter(spec, delegate=library)
