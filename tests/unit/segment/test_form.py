"""form = "auto": the fastest form is taken, and remembered for this machine, runtime and file."""

import dataclasses
import json
from pathlib import Path

import pytest

from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.form import cache_key, choose_form, measure_ms, processor
from scrim.core.segment.model import ModelSpec, models_folder
from scrim.errors import ModelError

Forms = dict[str, ModelSpec]


@pytest.fixture(scope="module")
def forms() -> Forms:
    return dict(Catalogue(models_folder())["person-192x112"])


class Stopwatch:
    """Says how long each form takes, and counts how often it was asked."""

    def __init__(self, **ms: float) -> None:
        self.ms = ms
        self.asked: list[tuple[str, int]] = []

    def __call__(self, spec: ModelSpec, threads: int) -> float:
        self.asked.append((spec.form, threads))
        return self.ms[spec.form]


@pytest.mark.parametrize(("int8", "float16", "fastest"), [(1.0, 2.0, "int8"), (20.0, 1.2, "float16")])
def test_the_fastest_is_taken(forms, int8, float16, fastest):
    choice = choose_form(forms, 2, None, Stopwatch(int8=int8, float16=float16))
    assert choice.spec is forms[fastest]
    assert choice.timings_ms == {"int8": int8, "float16": float16}
    assert not choice.remembered


def test_only_forms_for_a_cpu_are_timed(forms):
    stopwatch = Stopwatch(int8=1.0, float16=2.0)
    choose_form(forms, 3, None, stopwatch)
    assert sorted(stopwatch.asked) == [("float16", 3), ("int8", 3)]


def test_one_form_needs_no_timing(forms):
    choice = choose_form({"float16": forms["float16"]}, 1, None, Stopwatch())
    assert choice.spec is forms["float16"]


def test_no_form_for_a_cpu_is_told(forms):
    with pytest.raises(ModelError, match=r"no form for a CPU \(has: tpu-int8"):
        choose_form({"tpu-int8": forms["tpu-int8"]}, 1, None, Stopwatch())


def test_the_second_start_times_nothing(forms, tmp_path):
    cache = tmp_path / "deeper" / "forms.json"
    choose_form(forms, 1, cache, Stopwatch(int8=3.0, float16=2.0))
    again = choose_form(forms, 1, cache, Stopwatch())
    assert again.spec is forms["float16"]
    assert again.timings_ms == {"int8": 3.0, "float16": 2.0}
    assert again.remembered


def test_another_number_of_threads_is_timed_anew(forms, tmp_path):
    cache = tmp_path / "forms.json"
    choose_form(forms, 1, cache, Stopwatch(int8=3.0, float16=2.0))
    assert not choose_form(forms, 2, cache, Stopwatch(int8=1.0, float16=2.0)).remembered
    assert choose_form(forms, 1, cache, Stopwatch()).remembered
    assert choose_form(forms, 2, cache, Stopwatch()).spec.form == "int8"


def test_another_file_is_timed_anew(forms, tmp_path):
    cache = tmp_path / "forms.json"
    choose_form(forms, 1, cache, Stopwatch(int8=3.0, float16=2.0))
    other = forms | {"int8": dataclasses.replace(forms["int8"], sha256="0" * 64)}
    assert not choose_form(other, 1, cache, Stopwatch(int8=1.0, float16=2.0)).remembered


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", '"x"', "[" * 60_000, "{}" + " " * 70_000, "\xff\xfe",
        '{"KEY": 3}', '{"KEY": {"int8": "fast"}}', '{"KEY": {"int8": 1.0}}',
        '{"KEY": {"int8": true, "float16": 1}}', '{"KEY": {"int8": -1, "float16": NaN}}',
    ],
)  # fmt: skip
def test_a_broken_cache_is_ignored_and_replaced(forms, tmp_path, content):
    cpu = {form: forms[form] for form in ("int8", "float16")}
    cache = tmp_path / "forms.json"
    cache.write_text(content.replace('"KEY"', json.dumps(cache_key(cpu, 1))), encoding="latin-1")
    choice = choose_form(forms, 1, cache, Stopwatch(int8=3.0, float16=2.0))
    assert choice.spec.form == "float16"
    assert not choice.remembered
    assert choose_form(forms, 1, cache, Stopwatch()).remembered


def test_the_cache_stays_small_and_keeps_the_newest(forms, tmp_path):
    cache = tmp_path / "forms.json"
    for threads in range(1, 101):
        choose_form(forms, threads, cache, Stopwatch(int8=1.0, float16=2.0))
    assert len(json.loads(cache.read_text())) == 64
    assert cache.stat().st_size < 64 * 1024
    assert choose_form(forms, 100, cache, Stopwatch()).remembered
    assert not choose_form(forms, 1, cache, Stopwatch(int8=1.0, float16=2.0)).remembered
    assert list(tmp_path.iterdir()) == [cache]


def test_a_cache_that_cannot_be_written_costs_nothing_else(forms, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    choice = choose_form(forms, 1, tmp_path / "file" / "forms.json", Stopwatch(int8=1.0, float16=2.0))
    assert choice.spec.form == "int8"
    assert "not remembered" in caplog.text


def test_a_real_form_can_be_timed(forms):
    assert measure_ms(forms["float16"], 1) > 0


def test_the_key_names_processor_runtime_threads_and_files(forms):
    key = cache_key(forms, 3)
    assert processor() in key
    assert "threads 3" in key
    for spec in forms.values():
        assert spec.sha256[:16] in key


def test_an_arm_board_is_told_by_its_part_numbers(tmp_path):
    core = "processor\t: {}\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
    text = core.format(0) + core.format(1) + "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
    (tmp_path / "cpuinfo").write_text(text)
    assert processor(tmp_path / "cpuinfo") == "0x41, 0xd0b, Raspberry Pi 5 Model B Rev 1.0"


def test_a_hidden_cpuinfo_leaves_the_architecture(tmp_path):
    assert processor(Path(tmp_path / "none")) != ""
