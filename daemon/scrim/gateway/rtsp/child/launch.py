"""Run as a script by the Python that has GStreamer's bindings, which need not be the one that runs scrim.

Makes the package ``scrim`` importable from where this file lies, and nothing else that lies there: the
folder may be another Python's, with modules that this one cannot load.
"""

import importlib.util
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[3]
    spec = importlib.util.spec_from_file_location(
        "scrim", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None  # noqa: S101  (a file's name ends in .py)
    assert spec.loader is not None  # noqa: S101
    package = importlib.util.module_from_spec(spec)
    sys.modules["scrim"] = package
    spec.loader.exec_module(package)

    from scrim.gateway.rtsp.child.main import main

    sys.exit(main(sys.argv[1:]))
