"""How values are shown to people, and what some that they write look like."""

from scrim.image_url import shown

GROUP_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
MOST_GROUPS = 8

_LONGEST_VALUE = 80


def show(value: object) -> str:
    """A value as a person would read it, cut short; never an image's bytes, nor a URL's password or query."""
    try:
        if isinstance(value, bool):
            return str(value).lower()
        text = repr(shown(value) if isinstance(value, str) else value)
    except RecursionError:
        return "(nested too deeply to show)"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
