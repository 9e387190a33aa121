"""Colours as people write them."""

import re

_COLORS_OF_CSS4 = {"rebeccapurple": "#663399"}
"""What CSS Color 4 adds to the names of CSS 3, which are all that webcolors knows."""


def color_hex(text: str) -> str | None:
    """``#rrggbb`` for ``#RRGGBB``, ``#RGB``, either without ``#``, or a CSS name; else None."""
    import webcolors

    text = text.strip().lower()
    if re.fullmatch(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})", text):
        return str(webcolors.normalize_hex("#" + text.removeprefix("#")))
    try:
        return _COLORS_OF_CSS4.get(text) or str(webcolors.name_to_hex(text))
    except ValueError:
        return None
