"""Images by name, and what was chosen and is not in use."""

from pathlib import Path

import pytest

from scrim.errors import ConfigError
from scrim.gateway.library import FRESH_S, Library
from scrim.gateway.mqtt.choices import CUSTOM, Choices
from scrim.gateway.mqtt.memory import Memory
from scrim.gateway.mqtt.payloads import told_image
from scrim.gateway.shelf import Shelved
from scrim.statefile import StateFile

URL = "https://user:secret@a.example/b.jpg?token=1"


class Shelf:
    def __init__(self, *titles: str) -> None:
        self.titles = titles

    def pictures(self) -> list[Shelved]:
        return [
            Shelved(f"{title}-{number:012d}", title, Path("x.jpg"), f"{number:012d}", False, 1)
            for number, title in enumerate(self.titles)
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "backgrounds"
    path.mkdir()
    for name in ("office.jpg", "über uns.png", ".hidden.jpg", "notes.txt", "x" * 70 + ".jpg"):
        (path / name).write_bytes(b"")
    (path / "folder.jpg").mkdir()
    return path


@pytest.fixture
def choices(tmp_path: Path, folder: Path) -> Choices:
    memory = Memory(StateFile(tmp_path / "gateway.json", 0))
    return Choices(memory, Library(Shelf("beach"), [folder]))


def test_the_library_has_files_and_what_people_gave(folder: Path) -> None:
    library = Library(Shelf("beach", "room", "room"), [folder, folder / "missing"])
    assert library.names() == [
        "beach",
        "office.jpg",
        "room-000000000001",
        "room-000000000002",
        "über uns.png",
    ]
    assert library.url_of("beach") == "library:beach-000000000000"
    assert library.url_of("beach-000000000000") == "library:beach-000000000000"
    url = library.url_of("über uns.png")
    assert url is not None
    assert url.startswith("file:/")
    assert library.name_of(url) == "über uns.png"
    assert library.name_of("library:beach-000000000000") == "beach"
    assert library.name_of("file:/etc/passwd") is None
    assert library.url_of("../../etc/passwd") is None
    assert library.name_of(None) is None


def test_what_is_new_in_the_library_is_found_after_a_moment(folder: Path) -> None:
    now_s = [0.0]
    library = Library(None, [folder], lambda: now_s[0])
    assert "new.png" not in library.names()
    (folder / "new.png").write_bytes(b"")
    assert "new.png" not in library.names()
    now_s[0] += FRESH_S
    assert "new.png" in library.names()


def test_the_first_folder_wins(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "office.jpg").write_bytes(b"")
    url = Library(None, [folder, tmp_path / "other"]).url_of("office.jpg")
    assert url == f"file:{folder}/office.jpg"


def test_nothing_was_chosen_yet(choices: Choices) -> None:
    assert (choices.background, choices.shown_image, choices.color) == (CUSTOM, "", "#000000")
    assert choices.image_called(CUSTOM) is None
    with pytest.raises(ConfigError, match=r"not in the library.*beach, office\.jpg"):
        choices.image_called("nowhere.jpg")


def test_an_effect_without_its_image_takes_what_was_chosen(choices: Choices) -> None:
    assert choices.completed({"effect": "image"})["image"] == "library:beach-000000000000", "the first"
    choices.choose_image(URL)
    choices.choose_color("#112233")
    assert choices.completed({"effect": "image"})["image"] == URL
    assert choices.completed({"effect": "color"})["color"] == "#112233"
    for patch in (
        {"effect": "image", "image": "https://c.example/d.jpg"},
        {"effect": "image", "backgroundReplacement": {"backgroundImageURL": "https://c.example/d.jpg"}},
        {"effect": "color", "color": "red"},
        {"effect": "blur"},
        {"strength": "low"},
    ):
        assert choices.completed(patch) == patch


def test_without_any_image_the_core_is_to_refuse(tmp_path: Path) -> None:
    choices = Choices(Memory(StateFile(tmp_path / "gateway.json")), Library(None, []))
    assert choices.completed({"effect": "image"}) == {"effect": "image"}


def test_the_settings_tell_urls_without_secrets_and_the_whole_one_stays(choices: Choices) -> None:
    choices.choose_image(URL)
    told = {"background_image_url": choices.told(URL), "default_color": "#445566"}
    assert "secret" not in str(told)
    choices.see({"background_replacement": told})
    assert choices.image == URL
    assert choices.shown_image == "https://a.example/b.jpg"
    assert choices.color == "#445566"


def test_choices_survive_but_for_pictures_in_the_url(choices: Choices, tmp_path: Path, folder: Path) -> None:
    choices.choose_image(URL)
    choices.choose_image("library:beach-000000000000")
    choices.choose_color("#112233")
    again = Choices(Memory(StateFile(tmp_path / "gateway.json")), Library(Shelf("beach"), [folder]))
    assert (again.background, again.color) == ("beach", "#112233")
    assert again.image_called(CUSTOM) == URL
    choices.choose_image("data:image/png;base64,AAAA")
    again = Choices(Memory(StateFile(tmp_path / "gateway.json")), Library(None, [folder]))
    assert again.image is None


def test_what_is_told_of_an_image(folder: Path) -> None:
    library = Library(Shelf("beach"), [folder])
    assert told_image(None, library) is None
    assert told_image(URL, library) == "https://a.example/b.jpg"
    assert told_image("library:beach-000000000000", library) == {"library": "beach"}
    assert told_image(library.url_of("office.jpg"), library) == {"library": "office.jpg"}
    assert told_image("file:/var/lib/scrim/backgrounds/gone.jpg", library) == {"library": "custom"}
    told = told_image("data:image/png;base64,AAAA", library)
    assert isinstance(told, dict)
    assert told["bytes"] == 26
    assert told_image("data:image/png;base64,... (26 characters)", library) == {"data_url": True}
