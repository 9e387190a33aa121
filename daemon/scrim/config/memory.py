"""The section of the memory that scrim may take."""

from scrim.config.sections import Section, setting

_ALLOWED = "0, or 64 to 65536"


class MemorySettings(Section):
    """A process that takes more memory than this is started again, in order. It needs 60 to 200 MB."""

    core_limit_mb: int = setting(
        0,
        "megabytes of the process that sees the camera; 0 is half of the machine's, from 300 to 1000",
        _ALLOWED,
        ge=0,
        le=65536,
    )
    gateway_limit_mb: int = setting(
        0,
        "megabytes of the process that sees the network; 0 is a quarter of the machine's, from 150 to 500",
        _ALLOWED,
        ge=0,
        le=65536,
    )
