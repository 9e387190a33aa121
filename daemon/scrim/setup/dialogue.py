"""The questions, in their order. Each takes the draft as it is and gives it back with the answer."""

from collections.abc import Callable, Mapping
from typing import Any

from scrim.config import strength_name
from scrim.errors import ConfigError, Problem, ScrimError
from scrim.setup.asking import Asker, Choice
from scrim.setup.draft import SECRETS, Draft, Secret, check_password
from scrim.setup.machine import Machine

_OTHER = "other"
_LOOPBACK = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (a person chooses it, and a password with it)

_TLS_KEYS = ("tls", "ca_file", "cert_file", "key_file", "tls_insecure")

Step = Callable[[Draft, Asker, Machine], Draft]


def ask(draft: Draft, asker: Asker, machine: Machine) -> Draft:
    """Ask everything.

    Raises:
        SetupError: the asker cannot ask.
    """
    steps: tuple[tuple[str, Step], ...] = (
        ("Camera", _camera),
        ("Outputs: where the picture goes", _outputs),
        ("RTSP: the picture as a stream", _rtsp),
        ("Effect: what becomes of the room", _effect),
        ("Page: see and change everything in a browser", _page),
        ("MQTT and Home Assistant", _broker),
        ("Button and lights", _panel),
    )
    for number, (title, step) in enumerate(steps, 1):
        asker.say(f"\n{number}/{len(steps)} {title}")
        draft = step(draft, asker, machine)
    return draft


def _camera(draft: Draft, asker: Asker, machine: Machine) -> Draft:
    now = draft.settings.camera.source
    choices = [Choice("auto", "auto: the first camera that is there")]
    choices += [Choice(found.url, f"{found.url}: {found.words}") for found in machine.cameras]
    choices.append(Choice("demo:", "demo: a person who is drawn, to try everything without a camera"))
    if now not in {choice.value for choice in choices}:
        choices.append(Choice(now, f"{now}: as it is now"))
    choices.append(Choice(_OTHER, "another: a device, or a file"))
    if not machine.cameras:
        asker.say("  no camera was found; auto takes one as soon as it is plugged in")
    source = asker.choose("Which camera?", choices, now)
    if source != _OTHER:
        return draft.patched({"camera": {"source": source}})
    asker.say("  such as v4l2:/dev/video2, picamera:1, file:/home/pi/clip.mp4")
    return asker.text("Its name?", now, lambda line: draft.patched({"camera": {"source": line}}))


def _outputs(draft: Draft, asker: Asker, machine: Machine) -> Draft:
    asker.say("  the page and RTSP show the picture in any case")
    now = draft.settings.sinks
    choices = [Choice(found.url, f"{found.url}: {found.words}") for found in machine.loopbacks]
    if machine.controllers:
        choices.append(Choice("uvc_gadget:", "uvc_gadget: a webcam for the computer at the USB port"))
    choices += [
        Choice(url, f"{url}: as it is now") for url in now if url not in {choice.value for choice in choices}
    ]
    if not machine.loopbacks:
        asker.say("  no v4l2loopback device: sudo apt install v4l2loopback-dkms, or sudo scripts/install")
    if not machine.controllers:
        asker.say("  no USB device controller, so this cannot be a USB webcam: docs/gadget.md")
    if not choices:
        return draft
    preset = now or tuple(found.url for found in machine.loopbacks[:1])
    sinks = asker.choose_many("Which, blanks between?", choices, preset)
    return draft.patched({"sinks": list(sinks)})


def _rtsp(draft: Draft, asker: Asker, machine: Machine) -> Draft:
    rtsp = draft.settings.rtsp
    if machine.missing_for_rtsp:
        asker.say(f"  it needs: sudo apt install {' '.join(machine.missing_for_rtsp)}")
    if not asker.confirm("Serve it?", default=rtsp.is_enabled):
        return draft.patched({"rtsp": {"is_enabled": False}})
    draft = draft.patched({"rtsp": {"is_enabled": True}})
    return _listener(draft, asker, "rtsp", "Who may watch it?")


def _effect(draft: Draft, asker: Asker, _machine: Machine) -> Draft:
    settings = draft.settings
    names = ("low", "medium", "high")
    choices = [Choice(f"blur {name}", f"blur, {name}") for name in names]
    choices += [Choice("color", "a colour instead of the room"), Choice("image", "an image instead of it")]
    if settings.effect == "off":
        choices.append(Choice("off", "none, as it is now"))
    preset: str = settings.effect
    if settings.effect == "blur":
        preset = f"blur {strength_name(settings.background_blur.strength)}"
    kind = asker.choose("Which?", choices, preset)
    if kind == preset:  # a strength that is a number stays one
        return draft if not kind.startswith(("color", "image")) else _replacement(draft, asker, kind)
    if kind.startswith("blur"):
        return draft.patched({"effect": "blur", "strength": kind.partition(" ")[2]})
    return _replacement(draft, asker, kind)


def _replacement(draft: Draft, asker: Asker, kind: str) -> Draft:
    now = draft.settings.background_replacement
    preset = now.default_color if kind == "color" else now.background_image_url
    asker.say(
        "  a CSS colour's name, or #RRGGBB; - for black"
        if kind == "color"
        else "  https:, library: and its id on the page, or file: below /var/lib/scrim/backgrounds"
    )
    question = "Which colour?" if kind == "color" else "Which image?"
    return asker.text(question, preset or "", lambda line: draft.patched({"effect": kind, kind: line}))


def _page(draft: Draft, asker: Asker, _machine: Machine) -> Draft:
    if not asker.confirm("Serve it?", default=draft.settings.web.is_enabled):
        return draft.patched({"web": {"is_enabled": False}})
    draft = draft.patched({"web": {"is_enabled": True}})
    draft = asker.text("TCP port?", str(draft.settings.web.port), _into_number(draft, "web", "port"))
    return _listener(draft, asker, "web", "Who may open it?")


def _listener(draft: Draft, asker: Asker, section: Secret, question: str) -> Draft:
    """From where a part can be reached; from elsewhere only with a password."""
    now = getattr(draft.settings, section).host
    choices = [
        Choice(_LOOPBACK, "this machine only"),
        Choice(_EVERYWHERE, "everybody in the network who knows a password"),
    ]
    if now not in (_LOOPBACK, _EVERYWHERE):
        choices.append(Choice(now, f"whoever reaches {now}, as it is now"))
    host = asker.choose(question, choices, now)
    draft = draft.patched({section: {"host": host}})
    return draft if host == _LOOPBACK else _password(draft, asker, section, may_keep=host == now)


def _password(draft: Draft, asker: Asker, section: Secret, *, may_keep: bool = False) -> Draft:
    """A password; the one that is used now can be kept, also where systemd brings it."""
    may_keep = may_keep or getattr(draft.settings, section).password_file is not None
    password = asker.secret("Password", lambda text: check_password(section, text), may_keep=may_keep)
    return draft if password is None else draft.with_password(section, password)


def _broker(draft: Draft, asker: Asker, _machine: Machine) -> Draft:
    while True:
        if not asker.confirm("Connect to an MQTT broker?", default=draft.settings.mqtt.is_enabled):
            return draft.patched({"mqtt": {"is_enabled": False}})
        draft = _broker_settings(draft, asker)
        if not asker.confirm("Try the connection now?", default=asker.is_person):
            return draft
        if _is_reachable(draft, asker) or not asker.confirm("Answer these questions again?", default=True):
            return draft


def _broker_settings(draft: Draft, asker: Asker) -> Draft:
    mqtt = draft.settings.mqtt
    draft = asker.text(
        "Name of this device for people?", draft.settings.device.name, _into(draft, "device", "name")
    )
    draft = asker.text("Broker's name or address?", mqtt.host, _into(draft, "mqtt", "host"))
    if asker.confirm("TLS?", default=mqtt.tls):
        draft = draft.patched({"mqtt": {"is_enabled": True, "tls": True}})
        question = "PEM file with the authority to trust, - for the system's?"
        draft = asker.text(question, mqtt.ca_file or "", _into(draft, "mqtt", "ca_file"))
    else:
        draft = draft.patched({"mqtt": {**dict.fromkeys(_TLS_KEYS), "is_enabled": True}})
    question = "TCP port, 0 for the usual one?"
    draft = asker.text(question, str(mqtt.port), _into_number(draft, "mqtt", "port"))
    draft = asker.text("User, - for none?", mqtt.username or "", _into(draft, "mqtt", "username"))
    is_same = draft.settings.mqtt.username == mqtt.username
    return _password(draft, asker, "mqtt", may_keep=is_same) if draft.settings.mqtt.username else draft


def _is_reachable(draft: Draft, asker: Asker) -> bool:
    from scrim.setup.trial import try_broker

    asker.say("  connecting, for 10 s at most ...")
    try:
        findings = try_broker(draft)
    except ScrimError as error:
        asker.say(f"  {error}")
        return False
    for finding in findings:
        asker.say(f"  {finding.found}" + (f"; {finding.mend}" if finding.mend else ""))
    return all(finding.is_good for finding in findings)


_PINS: Mapping[str, str] = {
    "button_pin": "Pin of the button that closes the camera?",
    "off_led_pin": "Pin of the light for: the camera is closed?",
    "protected_led_pin": "Pin of the light for: the filtered picture goes out?",
    "raw_led_pin": "Pin of the light for: the raw picture goes out?",
}


def _panel(draft: Draft, asker: Asker, machine: Machine) -> Draft:
    panel = draft.settings.panel
    has_some = any(getattr(panel, key) is not None for key in _PINS)
    if not machine.has_pins and not has_some:
        asker.say("  this machine has no GPIO pins")
        return draft
    if not asker.confirm("Is there a button or a light?", default=has_some):
        return draft.patched({"panel": dict.fromkeys(_PINS)})
    asker.say("  BCM numbers, 0 to 27; - for none")
    for key, question in _PINS.items():
        now = getattr(panel, key)
        draft = asker.text(question, "" if now is None else str(now), _into_number(draft, "panel", key))
    return draft


def _into(draft: Draft, section: str, key: str) -> Callable[[str], Draft]:
    return lambda line: draft.patched({section: {key: line}})


def _into_number(draft: Draft, section: str, key: str) -> Callable[[str], Draft]:
    """With a whole number, or its default for nothing; what is neither is left to the settings to refuse."""

    def take(line: str) -> Draft:
        is_number = line.isascii() and line.isdecimal() and len(line) < 10
        value: Any = int(line) if is_number else (line or None)
        return draft.patched({section: {key: value}})

    return take


def from_answers(draft: Draft, answers: Mapping[str, Any]) -> Draft:
    """The draft with a document of answers in it.

    Args:
        draft: as it is.
        answers: a patch of the settings, with ``passwords`` beside it: ``web``, ``mqtt``, ``rtsp``.

    Raises:
        ConfigError: with every problem found.
    """
    passwords = answers.get("passwords", {})
    patch = {key: value for key, value in answers.items() if key != "passwords"}
    known = isinstance(passwords, Mapping) and passwords.keys() <= set(SECRETS)
    if not known or not all(isinstance(value, str) for value in passwords.values()):
        raise ConfigError(
            [Problem("passwords", "(not shown)", "is wrong", f"texts for {', '.join(SECRETS)}")]
        )
    draft = draft.patched(patch)
    for secret in SECRETS:
        if secret in passwords:
            draft = draft.with_password(secret, passwords[secret])
    return draft
