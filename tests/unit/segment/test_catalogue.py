"""The models of a folder: a broken one is named when it is chosen, and is in nobody's way."""

import hashlib
import shutil
from pathlib import Path

import pytest

from scrim.config import ModelSettings
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.loading import load_model
from scrim.core.segment.model import NotFetchedError, models_folder
from scrim.errors import EXIT_CONFIG, ModelError

SMALL = "person-192x112"
URL = "https://models.example/mine.tflite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two of the shipped models, and room for broken ones."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    models = tmp_path / "models"
    models.mkdir()
    for file in models_folder().glob("person-[12]*"):
        shutil.copy(file, models)
    return models


def toml_of(folder: Path, form: str, name: str = SMALL) -> Path:
    return folder / f"{name}-{form}.toml"


def add(folder: Path, file: str, *changes: tuple[str, str]) -> Path:
    """Another model like the small one."""
    text = toml_of(folder, "f16").read_text()
    for old, new in (('name = "person-192x112"', 'name = "mine"'), *changes):
        assert old in text
        text = text.replace(old, new)
    (folder / file).write_text(text)
    return folder / file


BREAKAGES = {
    "not TOML": b"name = ",
    "not text": b"\xff\xfe",
    "empty": b"",
    "huge": b"#" * 70_000,
    "unknown keys": b"colour = 'red'",
}


@pytest.mark.parametrize("content", BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_toml_is_in_nobody_s_way(folder: Path, content: bytes):
    (folder / "a-broken.toml").write_bytes(content)
    models = Catalogue(folder)
    assert list(models) == [SMALL, "person-256x144"]
    (fault,) = models.faults
    assert fault.file.name == "a-broken.toml"
    assert list(models.broken()) == [fault]
    loaded = load_model(ModelSettings(name=SMALL, form="float16"), folder)
    loaded.segmenter.close()


def test_a_toml_that_is_a_folder_and_one_that_nobody_may_read_are_in_nobody_s_way(folder: Path):
    (folder / "b.toml").mkdir()
    (folder / "c.toml").symlink_to("/nowhere")
    models = Catalogue(folder)
    assert [fault.file.name for fault in models.faults] == ["b.toml", "c.toml"]
    assert models.form(SMALL, "int8").path == folder / f"{SMALL}-int8.tflite"


def test_what_is_wrong_with_a_model_is_told_when_it_is_chosen(folder: Path):
    add(folder, "mine.toml", ('kind = "alpha"', 'kind = "beta"'))
    for form in ("auto", "float16"):
        with pytest.raises(ModelError, match=r"mine\.toml: 1 problem\n  output\.kind = 'beta'") as caught:
            load_model(ModelSettings(name="mine", form=form), folder)
        assert caught.value.exit_status == EXIT_CONFIG


def test_mistakes_in_two_files_are_told_together(folder: Path):
    add(folder, "mine-1.toml", ('kind = "alpha"', 'kind = "beta"'))
    add(folder, "mine-2.toml", ('form = "float16"', 'form = "int4"'))
    with pytest.raises(ModelError) as caught:
        load_model(ModelSettings(name="mine"), folder)
    assert "mine-1.toml" in str(caught.value)
    assert "mine-2.toml" in str(caught.value)


def test_a_name_that_is_not_there_is_told_with_those_that_are_and_with_what_has_no_name(folder: Path):
    (folder / "broken.toml").write_bytes(b"name = ")
    with pytest.raises(ModelError, match=f"allowed is {SMALL}, person-256x144") as caught:
        load_model(ModelSettings(name="mine"), folder)
    assert "broken.toml: not TOML" in str(caught.value)


def test_a_form_whose_file_is_damaged_leaves_the_others(folder: Path, caplog: pytest.LogCaptureFixture):
    (folder / f"{SMALL}-int8.tflite").write_bytes(b"damaged")
    loaded = load_model(ModelSettings(name=SMALL), folder)
    loaded.segmenter.close()
    assert loaded.spec.form == "float16"
    assert "sha256" in caplog.text
    with pytest.raises(ModelError, match="damaged or another file"):
        load_model(ModelSettings(name=SMALL, form="int8"), folder)
    (fault,) = Catalogue(folder).broken()
    assert (fault.file.name, fault.name) == (f"{SMALL}-int8.tflite", SMALL)


def test_a_model_all_of_whose_files_are_gone_is_told(folder: Path):
    for file in folder.glob(f"{SMALL}-*.tflite"):
        file.unlink()
    with pytest.raises(ModelError, match=r"-f16\.tflite: No such file(.|\n)*-int8\.tflite: No such file"):
        load_model(ModelSettings(name=SMALL), folder)
    load_model(ModelSettings(name="person-256x144", form="float16"), folder).segmenter.close()


def test_a_form_that_a_model_does_not_have_is_told_with_those_it_has(folder: Path):
    toml_of(folder, "f16").unlink()
    with pytest.raises(ModelError, match=r"model\.form = float16: .* allowed is int8, tpu-int8"):
        load_model(ModelSettings(name=SMALL, form="float16"), folder)


def test_two_files_of_one_form_are_told_and_the_first_is_used(folder: Path):
    shutil.copy(toml_of(folder, "int8"), folder / "zz-again.toml")
    models = Catalogue(folder)
    (fault,) = models.faults
    assert "second file of form int8" in fault.text
    assert models.form(SMALL, "int8").path.name == f"{SMALL}-int8.tflite"


def test_a_model_that_is_not_fetched_is_in_nobody_s_way_and_no_fault(folder: Path):
    data = (folder / f"{SMALL}-f16.tflite").read_bytes()
    add(folder, "mine.toml", (f'file = "{SMALL}-f16.tflite"', f'url = "{URL}"'))
    models = Catalogue(folder)
    assert "mine" in models
    assert list(models.broken()) == []
    for form in ("auto", "float16"):
        with pytest.raises(NotFetchedError) as caught:
            load_model(ModelSettings(name="mine", form=form), folder)
        (spec,) = caught.value.specs
        assert spec.url == URL
    spec.path.parent.mkdir(parents=True)
    spec.path.write_bytes(data)
    assert hashlib.sha256(data).hexdigest() in spec.path.name
    load_model(ModelSettings(name="mine"), folder).segmenter.close()


def test_a_form_that_is_here_serves_while_another_is_not_fetched(folder: Path):
    toml = toml_of(folder, "int8")
    toml.write_text(toml.read_text().replace(f'file = "{SMALL}-int8.tflite"', f'url = "{URL}"'))
    loaded = load_model(ModelSettings(name=SMALL), folder)
    loaded.segmenter.close()
    assert loaded.spec.form == "float16"


def test_an_empty_folder_is_told(tmp_path: Path):
    with pytest.raises(ModelError, match="no TOML"):
        Catalogue(tmp_path)


def test_the_shipped_catalogue_is_whole():
    models = Catalogue(models_folder())
    assert list(models.broken()) == []
    assert list(models) == ["person-192x112", "person-256x144", "person-320x176", "person-384x208"]
    for name, forms in models.items():
        assert forms.keys() == {"int8", "float16", "tpu-int8"}
        for spec in forms.values():
            width, height = spec.input.size
            assert name == f"person-{width}x{height}"
            assert (spec.output.width, spec.output.height) == spec.input.size
            assert spec.licence == "Apache-2.0"
            assert "MediaPipe 0.10.21" in spec.origin
