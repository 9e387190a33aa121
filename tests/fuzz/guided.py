"""The long run guided by coverage, where Atheris is installed: libFuzzer for some versions of Python."""

import atexit
import sys
from pathlib import Path

_MOST_BYTES = 4096
_MOST_MB = 1024
_HANG_S = 30


def fuzz_guided(name: str, seconds: int, folder: Path) -> None:
    """Throw inputs at a target, those first that reach new lines. Ends the process.

    Args:
        name: of the target.
        seconds: real time.
        folder: where the corpus and findings are kept.

    Raises:
        ModuleNotFoundError: Atheris is not installed.
    """
    import atheris

    with atheris.instrument_imports(include=["scrim"]):
        from tests.fuzz.targets import make

        target = make(name)
    atexit.register(target.close)
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    lines = [f'"{_hex(word)}"\n' for word in dict.fromkeys(target.words) if 0 < len(word) < 64]
    words.write_text("".join(lines))
    limits = [f"-max_total_time={seconds}", f"-max_len={_MOST_BYTES}", f"-rss_limit_mb={_MOST_MB}"]
    options = [
        *limits,
        f"-timeout={_HANG_S}",
        f"-dict={words}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda data: target.run(data) and None)
    atheris.Fuzz()


def _hex(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
