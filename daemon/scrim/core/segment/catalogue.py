"""The models of a folder: each by itself, so that a broken one is in nobody's way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scrim.core.segment.model import (
    CPU_FORMS,
    Form,
    ModelSpec,
    NotFetchedError,
    check_file,
    parse_spec,
    stated_name,
)
from scrim.errors import ModelError


@dataclass(frozen=True, slots=True)
class Fault:
    """A model that cannot be used.

    Attributes:
        file: its TOML.
        name: what it calls itself, as far as that can be read; else empty.
        text: what is wrong with it, all of it.
    """

    file: Path
    name: str
    text: str


class Catalogue(Mapping[str, Mapping[Form, ModelSpec]]):
    """Model name to form to spec, in the order of the file names; and what could not be read.

    The files themselves are looked at when a model is chosen, or by ``broken``.

    Args:
        folder: holds one TOML for each form of each model.

    Attributes:
        faults: of the TOMLs.

    Raises:
        ModelError: the folder has no TOML.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, dict[Form, ModelSpec]] = {}
        self.faults: list[Fault] = []
        files = sorted(folder.glob("*.toml"))
        for file in files:
            self._read(file)
        if not files:
            raise ModelError(f"models folder {folder}: holds no TOML of a model")

    def __getitem__(self, name: str) -> Mapping[Form, ModelSpec]:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def form(self, name: str, form: Form) -> ModelSpec:
        """One form of a model, its file checked.

        Raises:
            ModelError: there is none, or it cannot be used; the text says why.
            NotFetchedError: its file has yet to be fetched.
        """
        spec = self.known(name).get(form)
        if spec is None:
            has = ", ".join(self.known(name)) or "none"
            raise ModelError(
                f"model.form = {form}: {name} has no such form; allowed is {has}{self._why_not(name)}"
            )
        check_file(spec)
        return spec

    def usable(self, name: str) -> tuple[dict[Form, ModelSpec], list[str]]:
        """The forms of a model whose files can be used, and what is wrong with the others.

        Raises:
            ModelError: there is no such model, or none of its forms for a CPU can be used.
            NotFetchedError: the files of all that can be have yet to be fetched.
        """
        good: dict[Form, ModelSpec] = {}
        bad = [fault.text for fault in self.faults if fault.name == name]
        missing: list[ModelSpec] = []
        for form, spec in self.known(name).items():
            try:
                check_file(spec)
            except NotFetchedError as error:
                missing += error.specs if form in CPU_FORMS else ()
            except ModelError as error:
                bad.append(str(error))
            else:
                good[form] = spec
        if any(form in CPU_FORMS for form in good):
            return good, bad
        if missing:
            raise NotFetchedError(missing)
        forms = ", ".join(self.known(name))
        raise ModelError(
            "\n".join(bad)
            or f"model {name}: has no form for a CPU (has: {forms}; wants: {', '.join(CPU_FORMS)})"
        )

    def broken(self) -> Iterator[Fault]:
        """What cannot be used, TOMLs and files; those that are not fetched yet are none of it."""
        yield from self.faults
        for name, forms in self._models.items():
            for spec in forms.values():
                try:
                    check_file(spec)
                except NotFetchedError:
                    continue
                except ModelError as error:
                    yield Fault(spec.path, name, str(error))

    def _read(self, file: Path) -> None:
        try:
            self._add(parse_spec(file), file)
        except ModelError as error:
            self.faults.append(Fault(file, stated_name(file), str(error)))

    def _add(self, spec: ModelSpec, file: Path) -> None:
        forms = self._models.setdefault(spec.name, {})
        if spec.form in forms:
            raise ModelError(
                f"model {file}: {spec.name} has a second file of form {spec.form}; remove one of them"
            )
        forms[spec.form] = spec

    def known(self, name: str) -> Mapping[Form, ModelSpec]:
        """The forms of a model, whether their files can be used or not.

        Raises:
            ModelError: there is no such model.
        """
        if name in self._models:
            return self._models[name]
        texts = [fault.text for fault in self.faults if fault.name == name]
        if texts:
            raise ModelError("\n".join(texts))
        allowed = ", ".join(sorted(self._models)) or "nothing: each is broken"
        nameless = [fault.text for fault in self.faults if not fault.name]
        raise ModelError(
            "\n".join([f"model.name = {name}: not in {self._folder}; allowed is {allowed}", *nameless])
        )

    def _why_not(self, name: str) -> str:
        texts = [fault.text for fault in self.faults if fault.name == name]
        return "".join(f"\n{text}" for text in texts)
