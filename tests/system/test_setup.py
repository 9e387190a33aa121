"""``scripts/setup``: what it installs and when it does nothing. Python, pip and Debian are stand-ins."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STUB = """#!/bin/sh
echo "$0 $*" >>"{log}"
case "$*" in
    -VV) echo "Python 3.11.2 stand-in" ;;
    *"in ((3, 11)"*) exit {no_mediapipe} ;;
    *picamera2*) exit 1 ;;
    "-m venv"*)
        for last; do :; done
        mkdir -p "$last/bin"
        cp "$0" "$last/bin/python"
        cp "$0" "$last/bin/scrim"
        ;;
esac
"""
PYTHONS = ("python3", "python3.11", "python3.12", "python3.13")

Setup = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The part of the source tree that setup looks at."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup", "numpy1.txt"):
        shutil.copy(REPOSITORY / "scripts" / name, tmp_path / "scripts")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def setup(tree: Path) -> Setup:
    def run(*options: str, no_mediapipe: int = 0) -> "subprocess.CompletedProcess[str]":
        stubs = tree / "bin"
        shutil.rmtree(stubs, ignore_errors=True)
        stubs.mkdir()
        for name in PYTHONS:
            write(stubs / name, STUB.format(log=tree / "log", no_mediapipe=no_mediapipe))
        write(stubs / "dpkg-query", "#!/bin/sh\nprintf installed\n")
        return subprocess.run(
            [str(tree / "scripts" / "setup"), *options],
            env={**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def installations(tree: Path) -> list[str]:
    """What was asked of pip, in order."""
    lines = (tree / "log").read_text().splitlines() if (tree / "log").exists() else []
    return [line.rpartition("version-check ")[2] for line in lines if " -m pip install " in line]


def test_the_second_time_nothing_is_done(setup: Setup, tree: Path):
    first = setup()
    assert first.returncode == 0, first.stderr
    assert "done: .venv/bin/scrim" in first.stdout
    second = setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert installations(tree) == ["--editable .[litert]"]


def test_a_change_of_what_is_needed_installs_again(setup: Setup, tree: Path):
    setup()
    with (tree / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    setup()
    assert len(installations(tree)) == 2


def test_a_missing_program_installs_again(setup: Setup, tree: Path):
    setup()
    (tree / ".venv" / "bin" / "scrim").unlink()
    setup()
    assert len(installations(tree)) == 2


def test_what_tests_need_comes_on_demand_and_stays(setup: Setup, tree: Path):
    for _ in range(2):
        setup("--dev")
        setup()
    assert installations(tree) == ["--editable .[litert,dev]", "--editable .[litert]"]


def test_mediapipe_gets_a_venv_of_its_own(setup: Setup, tree: Path):
    result = setup("--mediapipe")
    assert result.returncode == 0, result.stderr
    assert (tree / ".venv-mediapipe" / "bin" / "python").exists()
    assert setup("--mediapipe").stdout == ""
    assert installations(tree) == ["--editable .[litert]", "mediapipe==0.10.21"]


def test_without_a_python_for_mediapipe_it_says_which(setup: Setup, tree: Path):
    link = tree / "scripts" / "setup"
    link.write_text(link.read_text().replace(" /usr/bin/python3)", ")"))
    result = setup("--mediapipe", no_mediapipe=1)
    assert result.returncode == 1
    assert "Python 3.11 and 3.12 only" in result.stderr
    assert "mediapipe==0.10.21" not in installations(tree)


def test_an_unknown_option_names_the_known_ones(setup: Setup, tree: Path):
    result = setup("--fast")
    assert result.returncode == 1
    assert "--dev and --mediapipe" in result.stderr
    assert installations(tree) == []


def test_the_shell_scripts_are_clean():
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: apt install shellcheck")
    scripts = [path for path in (REPOSITORY / "scripts").iterdir() if path.is_file()]
    shell = [str(path) for path in scripts if path.read_text().startswith("#!/bin/sh")]
    result = subprocess.run([shellcheck, *shell], capture_output=True, text=True, check=False)
    assert result.stdout == ""
