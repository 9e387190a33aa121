"""The one way by which a request over MQTT changes settings; a few are the gateway's own."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scrim.errors import ScrimError
from scrim.gateway.core_link import CoreLink
from scrim.gateway.mqtt.choices import Choices
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.own_values import (
    IMAGES,
    check_image,
    checked_color,
    checked_groups,
    checked_interval,
    refused,
)
from scrim.gateway.mqtt.payloads import told_image
from scrim.gateway.mqtt.refusals import IMAGE_KEY
from scrim.gateway.mqtt.view import View
from scrim.image_url import scheme_of
from scrim.patch import expand, snake_case

if TYPE_CHECKING:
    from scrim.config import Settings

Patch = Mapping[str, Any]

OWN_KEYS = frozenset(
    {
        "output",
        "adaptive",
        "background",
        "background_color",
        "background_image",
        "telemetry_interval_s",
        "groups",
    }
)
"""What a patch over MQTT may say beside the settings' own keys and shorthands."""


class Changes:
    """Makes changes, whole or not at all, and keeps the view up to date.

    Args:
        link: to the core.
        view: learns what is in effect.
        choices: backgrounds that are not in use.
        memory: keeps groups and interval.
        settings: as the local file has them.
        changed: called after the gateway's own settings changed.
    """

    def __init__(
        self,
        link: CoreLink,
        view: View,
        choices: Choices,
        memory: Memory,
        settings: "Settings",
        changed: Callable[[], None],
    ) -> None:
        self._link = link
        self._view = view
        self._choices = choices
        self._memory = memory
        self._settings = settings
        self._changed = changed

    @property
    def groups(self) -> tuple[str, ...]:
        """That this device belongs to, those that win last."""
        groups = self._memory.get("groups")
        return tuple(groups) if groups is not None else self._settings.device.groups

    @property
    def interval_s(self) -> float:
        """Between two messages of telemetry."""
        return float(self._memory.get("telemetry_interval_s") or self._settings.mqtt.telemetry_interval_s)

    async def change(self, patch: Patch, source: str, **terms: Any) -> list[str]:  # noqa: ANN401
        """Make one change.

        Args:
            patch: settings in either spelling, with shorthands; and the gateway's own keys.
            source: who asks: ``set`` or ``desired``.
            terms: ``if_revision`` and ``remember``, as the core knows them.

        Returns:
            The keys whose values are others now, dotted.

        Raises:
            ConfigError: it is wrong; lists every problem. Nothing was changed.
            LocalError: another revision is in effect, the core refuses for another reason, or is gone.
        """
        own, wanted = _parted(patch)
        before = flat(self._view.settings) | self._own_values()
        checked = self._checked_own(own)
        wanted = _with_sections(own, wanted)
        _check_origin(wanted)
        choose = self._background(own, wanted)
        wanted = self._choices.completed(wanted)
        if wanted or terms.get("if_revision") is not None:
            await self._set(wanted, source, terms)
        for keep in choose:
            keep()
        for key, value in checked.items():
            self._memory.set(key, value)
        self._changed()
        after = flat(self._view.settings) | self._own_values()
        return sorted(key for key, value in after.items() if before.get(key) != value)

    async def _set(self, patch: Patch, source: str, terms: Mapping[str, Any]) -> None:
        try:
            answer = await self._link.set(dict(patch), **terms)
        except ScrimError as error:
            if error.in_effect is not None:
                self.see(error.in_effect, source)
            raise
        self.see(answer, source, _image_of(patch))

    def see(self, answer: Mapping[str, Any], source: str, asked: str | None = None) -> None:
        """Take what an answer of the core's says of the settings in effect.

        Args:
            answer: ``settings`` and ``revision``.
            source: who made them so.
            asked: the URL of an image that was asked for.
        """
        settings, revision = answer.get("settings"), answer.get("revision")
        if isinstance(settings, Mapping) and isinstance(revision, int):
            self._choices.see(settings, asked)
            if self._view.see_settings(settings, revision, source):
                self._changed()

    def _own_values(self) -> dict[str, Any]:
        return {
            "groups": list(self.groups),
            "telemetry_interval_s": self.interval_s,
            "background_color": self._choices.color,
            "background_image": told_image(self._choices.image, self._choices.library),
        }

    def _checked_own(self, own: Patch) -> dict[str, Any]:
        """Groups and interval as they will be kept; None goes back to the file's."""
        checks = {"groups": checked_groups, "telemetry_interval_s": checked_interval}
        found = {key: check(own[key]) for key, check in checks.items() if own.get(key) is not None}
        return {key: found.get(key) for key in checks if key in own}

    def _background(self, own: Patch, wanted: dict[str, Any]) -> list[Callable[[], None]]:
        """Put what is chosen into the patch where it will be in use; else say how to note it."""
        effect = wanted.get("effect", self._effect())
        noted: list[Callable[[], None]] = []
        if "background" in own or "background_image" in own:
            url = self._chosen_image(own)
            if effect == "image":
                if url is None:
                    raise refused("background_image", "", "the effect in use shows an image", IMAGES)
                wanted["image"] = url
            else:
                noted.append(lambda: self._choices.choose_image(url))
        if "background_color" in own:
            color = checked_color(own["background_color"])
            if effect == "color":
                wanted["color"] = color
            else:
                noted.append(lambda: self._choices.choose_color(color))
        return noted

    def _chosen_image(self, own: Patch) -> str | None:
        if "background" in own:
            return self._choices.image_called(str(own["background"]))
        url = own["background_image"] or None
        if url is not None:
            check_image(url, allow_http=self._settings.images.allow_http)
        return url

    def _effect(self) -> str:
        settings = self._view.settings
        replacement = settings.get("background_replacement", {})
        if not replacement.get("is_enabled"):
            return "other"
        return "image" if replacement.get("background_image_url") else "color"


def _parted(patch: Patch) -> tuple[dict[str, Any], dict[str, Any]]:
    """The gateway's own keys, and the rest."""
    own = {snake_case(key): value for key, value in patch.items() if snake_case(key) in OWN_KEYS}
    return own, {key: value for key, value in patch.items() if snake_case(key) not in OWN_KEYS}


def _with_sections(own: Patch, wanted: Patch) -> dict[str, Any]:
    """The rest of a patch, with the short words for keys of the settings written out."""
    patch = dict(wanted)
    for word, section, key in (("output", "camera", "is_enabled"), ("adaptive", "budget", "is_adaptive")):
        if word in own:
            inner = patch.get(section)
            patch[section] = {**(inner if isinstance(inner, Mapping) else {}), key: own[word]}
    if isinstance(patch.get("model"), str):
        patch["model"] = {"name": patch["model"]}
    return patch


def _check_origin(patch: Patch) -> None:
    """Refuse an image by path: nobody on the network names files of this machine.

    Raises:
        ConfigError: the patch names one.
    """
    url = _image_of(patch)
    if url is not None and scheme_of(url) == "file":
        raise refused(IMAGE_KEY, url, "is not taken over MQTT", IMAGES)


def _image_of(patch: Patch) -> str | None:
    """The URL of an image that a patch names."""
    replacement = expand(patch)[0].get("background_replacement")
    url = replacement.get("background_image_url") if isinstance(replacement, Mapping) else None
    return url if isinstance(url, str) else None


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested document as one layer of dotted keys."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
