"""From settings to what goes out: everything that can fail is done here, before anything is touched."""

from pathlib import Path

from scrim.config import Settings, blur_sigma_px, strength_number
from scrim.core.composite.base import Background
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import PictureBackground, color_picture, fitted_picture
from scrim.core.images import BACKGROUND_FOLDERS, load_background
from scrim.core.pipeline import Look


def prepare_look(
    settings: Settings,
    size: tuple[int, int],
    revision: int,
    folders: tuple[Path, ...] = BACKGROUND_FOLDERS,
) -> Look:
    """Make ready what the settings ask for.

    Args:
        settings: checked.
        size: (width, height) in pixels of the frames.
        revision: of the settings.
        folders: where background images may lie.

    Raises:
        ImageError: the background image cannot be used.
    """
    return Look(
        revision=revision,
        background=_background(settings, size, folders),
        is_raw=settings.effect == "off" and settings.privacy.allow_raw,
        refine=settings.matte.refine,
        smooth=settings.matte.smooth,
    )


def _background(settings: Settings, size: tuple[int, int], folders: tuple[Path, ...]) -> Background | None:
    if settings.effect == "off":
        return None
    if settings.effect == "blur":
        strength = strength_number(settings.background_blur.strength)
        return BlurBackground(size, blur_sigma_px(strength, size[1]))
    replacement = settings.background_replacement
    if replacement.background_image_url is None:
        return PictureBackground(color_picture(replacement.default_color or "#000000", size))
    image = load_background(replacement.background_image_url, folders)
    return PictureBackground(fitted_picture(image, size, replacement.fit))
