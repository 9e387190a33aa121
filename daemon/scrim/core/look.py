"""From settings to what goes out: everything that can fail is done here, before anything is touched."""

from pathlib import Path
from typing import TYPE_CHECKING

from scrim.config import blur_sigma_px, strength_number
from scrim.core.composite.base import Background
from scrim.core.composite.blur import BlurBackground
from scrim.core.composite.replace import PictureBackground, color_picture, fitted_picture
from scrim.core.images import Image, Images, load_background
from scrim.core.keep import KeepRegions, Rectangle, load_keep_picture
from scrim.core.pipeline import Look
from scrim.core.subject import Wishes
from scrim.errors import ImageError
from scrim.image_url import is_fetched, shown
from scrim.places import BACKGROUND_FOLDERS

if TYPE_CHECKING:
    from scrim.config import Settings


def prepare_look(
    settings: "Settings",
    size: tuple[int, int],
    revision: int,
    folders: tuple[Path, ...] = BACKGROUND_FOLDERS,
) -> Look:
    """Make ready what the settings ask for, with an image read in this process.

    Args:
        settings: checked.
        size: (width, height) in pixels of the frames.
        revision: of the settings.
        folders: where background images may lie.

    Raises:
        ImageError: the background image cannot be used.
    """
    url = image_url(settings)
    return make_look(settings, size, revision, load_background(url, folders) if url else None)


def image_url(settings: "Settings") -> str | None:
    """The image that must be loaded before these settings can be in effect; None when it takes none."""
    return settings.background_replacement.background_image_url if settings.effect == "image" else None


def first_look(
    settings: "Settings", size: tuple[int, int], revision: int, images: Images, *, is_strict: bool
) -> tuple[Look, str | None]:
    """The look at start: black stands in for an image that is not there yet, so that nothing waits for it.

    Args:
        settings: checked.
        size: (width, height) in pixels of the frames.
        revision: of the settings.
        images: loads the image.
        is_strict: do not let anything stand in for a file that cannot be used.

    Returns:
        The look, and why the image is missing; None when it is there or none is wanted.

    Raises:
        ImageError: a file that cannot be used, where that is strict.
    """
    url = image_url(settings)
    if url is None:
        return make_look(settings, size, revision, None), None
    if is_fetched(url):
        return make_look(settings, size, revision, None), f"{shown(url)}: is not fetched yet"
    try:
        image = images.get(url)
    except ImageError as error:
        if is_strict:
            raise
        return make_look(settings, size, revision, None), str(error)
    images.keep()
    return make_look(settings, size, revision, image), None


def make_look(settings: "Settings", size: tuple[int, int], revision: int, image: Image | None) -> Look:
    """Make ready what the settings ask for.

    Args:
        settings: checked.
        size: (width, height) in pixels of the frames.
        revision: of the settings.
        image: what ``image_url`` names; None while it is not there: black stands in for it.
    """
    person, framing = settings.person, settings.framing
    return Look(
        revision=revision,
        background=_background(settings, size, image),
        coarse_background=_blur(settings, size, coarser=1) if settings.effect == "blur" else None,
        is_raw=settings.effect == "off" and settings.privacy.allow_raw,
        refine=settings.matte.refine,
        smooth=settings.matte.smooth,
        looks=2 if settings.matte.second_look == "always" else 1,
        wishes=Wishes(
            persons=person.persons,
            max_zoom=framing.max_zoom if framing.is_enabled else 1.0,
            nobody=person.nobody,
            placeholder_after_s=person.placeholder_after_s,
        ),
        reuse_masks=settings.budget.reuse_masks,
    )


def kept_regions(settings: "Settings") -> KeepRegions | None:
    """Parts of the room that the local file always shows; None for none.

    Raises:
        ImageError: the picture that names them cannot be used.
    """
    keep = settings.keep
    if not keep.regions and keep.image_path is None:
        return None
    picture = load_keep_picture(Path(keep.image_path)) if keep.image_path else None
    return KeepRegions([Rectangle(*region) for region in keep.regions], picture)


def _background(settings: "Settings", size: tuple[int, int], image: Image | None) -> Background | None:
    if settings.effect == "off":
        return None
    if settings.effect == "blur":
        return _blur(settings, size)
    replacement = settings.background_replacement
    if image is None:
        return PictureBackground(color_picture(replacement.default_color or "#000000", size))
    return PictureBackground(fitted_picture(image, size, replacement.fit))


def _blur(settings: "Settings", size: tuple[int, int], coarser: int = 0) -> BlurBackground:
    strength = strength_number(settings.background_blur.strength)
    return BlurBackground(size, blur_sigma_px(strength, size[1]), coarser)
