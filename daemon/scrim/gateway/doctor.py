"""The gateway's part of ``scrim doctor``: what the process with the network needs."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from scrim.errors import ConfigError
from scrim.finding import Finding, attempt

if TYPE_CHECKING:
    from scrim.config import Settings


def examine(settings: "Settings") -> list[Finding]:
    """Look at everything; what fails does not stop the rest.

    Args:
        settings: checked.
    """
    findings = list(_rtsp(settings))
    if settings.mqtt.is_enabled:
        from scrim.gateway.mqtt.doctor import look

        findings += attempt(
            "mqtt", "see that the broker runs and mqtt.host names it", partial(look, settings)
        )
    return findings


def _rtsp(settings: "Settings") -> Iterator[Finding]:
    """Whether the stream can run here, and with which encoder."""
    from scrim.gateway.rtsp.plan import plan_of
    from scrim.gateway.rtsp.support import install, probe

    rtsp = settings.rtsp
    is_wanted = rtsp.is_enabled or rtsp.publish_url is not None
    found = probe(rtsp.encoder, is_publishing=rtsp.publish_url is not None)
    if found.missing:
        words, mend = "GStreamer or an encoder is not installed", install(found.missing)
        if is_wanted:
            yield Finding("rtsp", False, words, mend)
        else:
            yield Finding("rtsp", True, f"off; to have it: {mend}")
        return
    can = f"{found.gstreamer}, encoder {found.encoders[0]}"
    if not is_wanted:
        yield Finding("rtsp", True, f"off; could run: {can}")
        return
    try:
        plan = plan_of(settings)
    except ConfigError as error:
        problem = error.problems[0]
        yield Finding("rtsp", False, f"{problem.key} = {problem.value}: {problem.message}", problem.allowed)
        return
    where = [f"at {plan.serve.host} port {plan.serve.port}"] if plan.serve else []
    where += [f"to {plan.publish.url}"] if plan.publish else []
    yield Finding("rtsp", True, f"can run {' and '.join(where)}: {can}")
