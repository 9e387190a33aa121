"""One value as text."""

import pytest

from scrim.errors import ConfigError
from scrim.gateway.mqtt.scalars import KEYS, MAX_SCALAR_BYTES, patch_of


@pytest.mark.parametrize(
    ("key", "text", "patch"),
    [
        ("output", "ON", {"output": True}),
        ("output", "off", {"output": False}),
        ("effect", "blur", {"effect": "blur"}),
        ("blur_strength", "high", {"strength": "high"}),
        ("blur_strength", "40", {"strength": 40.0}),
        ("background", "office.jpg", {"background": "office.jpg"}),
        ("background_color", " teal ", {"background_color": "teal"}),
        ("background_image", "https://a.example/b.jpg", {"background_image": "https://a.example/b.jpg"}),
        ("processing_budget", "50", {"processing_budget_per_frame": 50.0}),
        ("cpu_limit", "12.5", {"filter_cpu_utilization": 12.5}),
        ("reporting_period", "1000.0", {"reporting_period_ms": 1000.0}),
        ("telemetry_interval", "60", {"telemetry_interval_s": 60.0}),
        ("resolution", "640x480", {"camera": {"width": 640, "height": 480}}),
        ("frame_rate", "15", {"camera": {"frame_rate": 15.0}}),
        ("model", "person-192x112", {"model": {"name": "person-192x112"}}),
        ("adaptive", "OFF", {"adaptive": False}),
    ],
)
def test_a_value_becomes_a_patch(key: str, text: str, patch: dict[str, object]) -> None:
    assert patch_of(key, text.encode()) == patch


def test_every_key_was_tried() -> None:
    assert len(KEYS) == 14


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("no_such_key", b"1"),
        ("output", b"MAYBE"),
        ("output", b""),
        ("adaptive", b"1"),
        ("processing_budget", b"NaN"),
        ("processing_budget", b"Infinity"),
        ("processing_budget", b"1e99"),
        ("processing_budget", b"1_0"),
        ("processing_budget", "١٢".encode()),
        ("processing_budget", b"ten"),
        ("cpu_limit", b""),
        ("resolution", b"640 x 480"),
        ("resolution", b"99999x480"),
        ("effect", b"\xff\xfe"),
        ("background_image", b"x" * (MAX_SCALAR_BYTES + 1)),
    ],
)
def test_what_is_no_value_is_refused_and_says_what_is(key: str, payload: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        patch_of(key, payload)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert problem.message
    assert problem.allowed
