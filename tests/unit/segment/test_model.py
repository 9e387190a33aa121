"""A model's TOML: what is taken, and that every mistake is told at once."""

import hashlib
from pathlib import Path

import pytest

from scrim.config import Settings
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.model import (
    NotFetchedError,
    SpecError,
    fetched_folder,
    load_spec,
    models_folder,
    read_model,
)
from scrim.errors import ModelError

DATA = b"not a real model"
GOOD = f"""\
name = "mine"
form = "int8"
file = "mine.tflite"
sha256 = "{hashlib.sha256(DATA).hexdigest()}"
licence = "MIT"
origin = "trained at home"

[input]
width = 256
height = 144
channels = 3
range = [0, 1.0]
dtype = "int8"

[output]
kind = "alpha"
width = 256
height = 144
channels = 1
range = [0.0, 1.0]
dtype = "int8"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    (tmp_path / "mine.tflite").write_bytes(DATA)
    (tmp_path / "mine.toml").write_text(GOOD)
    return tmp_path / "mine.toml"


def changed(toml: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    toml.write_text(text)
    return toml


def problems(toml: Path) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        load_spec(toml)
    for problem in caught.value.problems:
        assert str(problem) in str(caught.value)
    return {problem.key: str(problem) for problem in caught.value.problems}


def in_output(toml: Path, *lines: str) -> Path:
    toml.write_text(GOOD[: GOOD.index("[output]")] + "\n".join(["[output]", *lines]) + "\n")
    return toml


def test_a_good_toml_is_read(toml):
    spec = load_spec(toml)
    assert (spec.name, spec.form, spec.path) == ("mine", "int8", toml.with_suffix(".tflite"))
    assert spec.input.size == (256, 144)
    assert spec.input.range == (0.0, 1.0)
    assert spec.output.tensor_shape == (1, 144, 256, 1)
    assert (spec.output.person_index, spec.output.block) == (0, 1)


def test_ten_mistakes_are_told_at_once(toml):
    changed(
        toml,
        ('name = "mine"', 'name = "No Such/Name"'),
        ('form = "int8"', 'form = "int4"'),
        ('licence = "MIT"', "licence = 7"),
        ('origin = "trained at home"', 'colour = "red"'),
        ("[input]\nwidth = 256", "[input]\nwidth = -1"),
        ("channels = 3", "channels = 4"),
        ("range = [0, 1.0]", "range = [1.0, 0.0]"),
        ('kind = "alpha"', 'kind = "beta"'),
        ("channels = 1", "channels = true"),
        ("range = [0.0, 1.0]", "range = [0.0, nan]"),
    )
    found = problems(toml)
    assert set(found) == {
        "name", "form", "licence", "origin", "colour", "input.width", "input.channels", "input.range",
        "output.kind", "output.channels", "output.range",
    }  # fmt: skip
    assert "'int4'" in found["form"]
    assert "int8, float16" in found["form"]
    assert "is missing" in found["origin"]
    assert "licence, name, origin" in found["colour"]
    assert "-1" in found["input.width"]
    assert "1 to 8192" in found["input.width"]


def test_a_missing_table_is_told(toml):
    toml.write_text(GOOD[: GOOD.index("[input]")])
    assert {"input", "output"} <= problems(toml).keys()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", {"name", "form", "file", "sha256", "licence", "origin", "input", "output"}),
        (GOOD[: GOOD.index("[input]")], {"input", "output"}),
        (GOOD[: GOOD.index("[output]")], {"output"}),
        (GOOD.replace('file = "mine.tflite"\n', ""), {"file"}),
    ],
)
def test_path_input_and_output_are_missed_by_name(toml, text, missing):
    toml.write_text(text)
    found = problems(toml)
    assert missing <= found.keys()
    assert all(key.split(".")[0] in missing for key in found)
    assert all("is missing" in found[key] for key in missing)


def test_the_default_model_is_144_x_256_in_full_integers():
    forms = Catalogue(models_folder())[Settings().model.name]
    spec = forms["int8"]
    given, taken = spec.input, spec.output
    assert (given.height, given.width, given.channels, given.range) == (144, 256, 3, (0.0, 1.0))
    assert (taken.height, taken.width, taken.channels, taken.range) == (144, 256, 1, (0.0, 1.0))
    assert (given.dtype, taken.dtype, taken.kind) == ("int8", "int8", "alpha")


def test_a_table_that_is_none_is_told(toml):
    changed(toml, ("[input]", "input = 3\n[other]"))
    found = problems(toml)
    assert "is not a table" in found["input"]
    assert "is not a known key" in found["other"]


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        (['kind = "alpha"', "channels = 2", "person_index = 1"], "output.channels"),
        (['kind = "softmax"', "channels = 1"], "output.channels"),
        (['kind = "logits"', "channels = 2", "person_index = 2"], "output.person_index"),
        (['kind = "logits"', "channels = 2"], "output.person_index"),
        (['kind = "classes"', "channels = 1"], "output.person_index"),
        (['kind = "logits"', "channels = 1", "block = 3"], "output.block"),
        (['kind = "logits"', "channels = 2", "person_index = 1", "block = 2"], "output.block"),
        (['kind = "alpha"', "channels = 1", "block = 0"], "output.block"),
    ],
)
def test_outputs_that_make_no_sense_are_told(toml, lines, key):
    common = ["width = 256", "height = 140", "range = [0, 1]", 'dtype = "float32"']
    assert problems(in_output(toml, *common, *lines)).keys() == {key}


def test_whole_numbers_of_classes_may_be_wide(toml):
    lines = [
        'kind = "classes"',
        "width = 8",
        "height = 4",
        "channels = 1",
        "range = [0, 20]",
        'dtype = "int64"',
    ]
    assert load_spec(in_output(toml, *lines, "person_index = 15")).output.person_index == 15
    lines[0] = 'kind = "logits"'
    assert problems(in_output(toml, *lines, "person_index = 0")).keys() == {"output.dtype"}


def test_another_file_is_refused_and_both_hashes_named(toml):
    other = b"swapped"
    toml.with_suffix(".tflite").write_bytes(other)
    found = problems(toml)
    assert found.keys() == {"sha256"}
    assert hashlib.sha256(DATA).hexdigest() in found["sha256"]
    assert hashlib.sha256(other).hexdigest() in found["sha256"]


def test_a_file_swapped_after_loading_is_refused(toml):
    spec = load_spec(toml)
    spec.path.write_bytes(b"swapped")
    with pytest.raises(SpecError, match="sha256"):
        read_model(spec)


def test_a_missing_model_is_told(toml):
    toml.with_suffix(".tflite").unlink()
    with pytest.raises(ModelError, match=r"mine\.tflite: No such file"):
        load_spec(toml)


def test_a_huge_toml_is_not_parsed(toml):
    toml.write_text(GOOD + "#" * 70_000)
    with pytest.raises(ModelError, match="larger than"):
        load_spec(toml)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"[[[["])
def test_what_is_not_toml_is_told(toml, content):
    toml.write_bytes(content)
    with pytest.raises(ModelError, match="not TOML"):
        load_spec(toml)


def test_a_fetched_model_is_found_by_its_hash(toml, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    digest = hashlib.sha256(DATA).hexdigest()
    changed(toml, ('file = "mine.tflite"', 'url = "https://models.example/mine.tflite"'))
    place = tmp_path / "state" / "models" / f"{digest}.tflite"
    with pytest.raises(NotFetchedError, match=str(place)) as caught:
        load_spec(toml)
    assert "save https://models.example/mine.tflite there" in str(caught.value)
    (spec,) = caught.value.specs
    assert (spec.path, spec.url) == (place, "https://models.example/mine.tflite")
    fetched_folder().mkdir(parents=True)
    place.write_bytes(DATA)
    assert load_spec(toml) == spec
    place.write_bytes(b"swapped")
    with pytest.raises(SpecError, match="sha256"):
        load_spec(toml)


def test_file_and_url_together_are_refused(toml):
    changed(toml, ('licence = "MIT"', 'licence = "MIT"\nurl = "https://models.example/mine.tflite"'))
    assert problems(toml).keys() == {"url"}


def test_a_url_must_be_https(toml):
    changed(toml, ('file = "mine.tflite"', 'url = "http://models.example/mine.tflite"'))
    assert problems(toml).keys() == {"url"}


def test_the_first_folder_there_is_wins(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    assert models_folder([tmp_path / "a", tmp_path / "b", tmp_path / "c"]) == tmp_path / "b"


def test_no_folder_names_all_that_were_looked_for(tmp_path):
    with pytest.raises(ModelError, match=r"/a, .*/b"):
        models_folder([tmp_path / "a", tmp_path / "b"])
