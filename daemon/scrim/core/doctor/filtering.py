"""The settings' effect, the model, and the time they take."""

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from scrim.core.capture.demo import Demo
from scrim.core.look import image_url, kept_regions, make_look, prepare_look
from scrim.core.pipeline import Pipeline
from scrim.core.segment.catalogue import Catalogue
from scrim.core.segment.loading import LoadedModel, default_folder, load_model, load_small_model
from scrim.finding import Finding, attempt, judged
from scrim.frame import Caps, FramePool
from scrim.image_url import is_fetched, shown

if TYPE_CHECKING:
    from scrim.config import Settings

_TIMED_FRAMES = 20

_MENDS = {
    "segment": "set model.name = person-192x112",
    "composite": "set a smaller camera.width and height, or effect = color",
}
"""Stage of the pipeline to what makes it cheaper."""

_DELEGATE_MEND = (
    "plug the accelerator in, install its library and let this user open it; or leave model.delegate empty."
    " The processor does the inference meanwhile"
)

_MEND_OF_ALL = (
    "set a smaller camera.width and height, a lower camera.frame_rate, model.name = person-192x112 or a"
    " larger processing_budget_per_frame; until then quality is lowered"
)


def caps_of(settings: "Settings") -> Caps:
    """What goes out."""
    return Caps(settings.camera.width, settings.camera.height, settings.camera.frame_rate)


def effect(settings: "Settings") -> Iterator[Finding]:
    """Whether the effect can be made ready, with its image and the regions that are kept.

    Raises:
        ImageError: a picture cannot be used.
    """
    size, url = caps_of(settings).size, _fetched_image(settings)
    if url is None:
        prepare_look(settings, size, 1)
    kept_regions(settings)
    is_raw = settings.effect == "off" and settings.privacy.allow_raw
    found = f"effect {settings.effect}, {caps_of(settings)}"
    found += f", {shown(url)} (the gateway fetches it; not tried here)" if url else ""
    yield Finding("settings", True, found + (", RAW PICTURE ALLOWED" if is_raw else ""))


def catalogue() -> Iterator[Finding]:
    """Which models cannot be used; the others can, whatever is wrong with these.

    Raises:
        ModelError: there is no folder of models, or nothing in it.
    """
    for fault in Catalogue(default_folder()).broken():
        mend = f"mend {fault.file}, or remove it"
        text = " ".join(fault.text.split())
        yield Finding(f"models: {fault.file.name}", False, text, mend)


def model(settings: "Settings") -> Iterator[Finding]:
    """Whether the models load, what runs them, and how long a frame takes.

    Raises:
        ModelError: one does not load.
    """
    small = load_small_model(settings)
    if small is not None:
        small.close()
    loaded = load_model(settings.model)
    try:
        timed = ", ".join(f"{form} {spent:.2f} ms" for form, spent in loaded.timings_ms.items())
        found = f"{loaded.spec.name} {loaded.spec.form}, loaded in {loaded.loading_ms:.0f} ms"
        yield Finding("model", True, found + (f" (timed: {timed})" if timed else ""))
        yield from attempt("delegate", _DELEGATE_MEND, partial(_delegate, loaded))
        yield from attempt(
            "time per frame", "scrim bench says more", partial(_timed, settings, loaded, caps_of(settings))
        )
    finally:
        loaded.segmenter.close()


def _delegate(loaded: LoadedModel) -> Iterator[Finding]:
    """What does the inference.

    Raises:
        ModelError: the delegate that was asked for does not.
    """
    threads = f"{loaded.threads} thread{'s' if loaded.threads != 1 else ''}"
    loaded.require_delegate()
    yield Finding("delegate", True, f"{loaded.delegate}: {loaded.runtime}, {threads}")


def _timed(settings: "Settings", loaded: LoadedModel, caps: Caps) -> Iterator[Finding]:
    """Time the whole path of a frame on the demo, and hold it against the budget."""
    # Black stands in for an image that only the gateway can fetch: it costs the same.
    look = make_look(settings, caps.size, 1, None)
    pipeline = Pipeline(caps.size, loaded.segmenter, look, FramePool(caps.size, 3))
    spent_ms = _spent_ms(pipeline, Demo(caps, pace=False))
    if not pipeline.clock.count.get("segment"):
        yield Finding("time per frame", True, "no effect is on, so nothing is computed")
        return
    interval_ms = caps.frame_interval_s * 1000
    allowed_ms = interval_ms * settings.processing_budget_per_frame / 100
    taken_ms = {name: pipeline.clock.total_ms[name] / pipeline.clock.count[name] for name in _MENDS}
    for name, mend in _MENDS.items():
        title = "inference" if name == "segment" else name
        found = f"{taken_ms[name]:.1f} ms, {100 * taken_ms[name] / allowed_ms:.0f} % of the budget"
        yield judged(title, found, mend, is_good=taken_ms[name] <= allowed_ms)
    found = (
        f"{spent_ms:.1f} ms, {100 * spent_ms / interval_ms:.0f} % of the frame interval at {caps}; the budget"
        f" is {settings.processing_budget_per_frame:g} %, {allowed_ms:.1f} ms"
    )
    yield judged("time per frame", found, _MEND_OF_ALL, is_good=spent_ms <= allowed_ms)


def _spent_ms(pipeline: Pipeline, demo: Demo) -> float:
    """Median time of a frame; the first one, which warms up, does not count."""
    spent_ms: list[float] = []
    demo.open()
    try:
        for number in range(1 + _TIMED_FRAMES):
            if number == 1:
                pipeline.clock.clear()
                spent_ms.clear()
            frame = demo.read()
            if frame is not None:
                begin_s = time.perf_counter()
                pipeline.process(frame)
                spent_ms.append((time.perf_counter() - begin_s) * 1000)
    finally:
        demo.close()
    return median(spent_ms)


def _fetched_image(settings: "Settings") -> str | None:
    url = image_url(settings)
    return url if url is not None and is_fetched(url) else None
