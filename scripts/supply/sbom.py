"""The software bill of materials, as CycloneDX 1.6 JSON."""

import hashlib
import json
import os
import tomllib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from supply.licences import Licences
from supply.locks import ROOT, Locked, lock_file, locked

Component = dict[str, Any]


def bill(release: str, licences: Licences, environment: Mapping[str, str] = os.environ) -> str:
    """Everything that is installed on one Debian release, models included.

    Args:
        release: Debian's name for it.
        licences: of every package.
        environment: ``SOURCE_DATE_EPOCH`` gives the time; without it none is told.

    Returns:
        JSON; the same input gives the same bytes.

    Raises:
        KeyError: a package has no licence in the table.
    """
    packages = [_package(one, licences) for one in locked(lock_file(release).read_text())]
    models = [_model(path.stem) for path in sorted((ROOT / "models").glob("*.toml"))]
    product = _product()
    content = {
        "components": [*packages, *models],
        "dependencies": [
            {"ref": product["bom-ref"], "dependsOn": sorted(one["bom-ref"] for one in [*packages, *models])}
        ],
    }
    metadata: dict[str, Any] = {"component": product, "properties": [_property("debian:release", release)]}
    if seconds := environment.get("SOURCE_DATE_EPOCH"):
        metadata["timestamp"] = datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
    digest = hashlib.sha256(json.dumps([metadata, content], sort_keys=True).encode()).hexdigest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32], version=4)}",
        "version": 1,
        "metadata": metadata,
        **content,
    }
    return json.dumps(document, indent=2) + "\n"


def _product() -> Component:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "type": "application",
        "bom-ref": f"scrim@{project['version']}",
        "name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "licenses": _licence(project["license"]),
    }


def _package(one: Locked, licences: Licences) -> Component:
    purl = f"pkg:pypi/{one.name}@{one.version}"
    component: Component = {
        "type": "library",
        "bom-ref": purl,
        "name": one.name,
        "version": one.version,
        "purl": purl,
        "licenses": _licence(licences.packages[one.name]),
        "externalReferences": [
            {
                "type": "distribution",
                "url": purl,
                "comment": "any of these files",
                "hashes": _hashes(*one.hashes),
            }
        ],
    }
    if inside := licences.inside.get(one.name):
        component["components"] = [
            {
                "type": "library",
                "bom-ref": f"{purl}#{name}",
                "name": name,
                "licenses": _licence(expression),
                "description": f"inside the wheels of {one.name}",
            }
            for name, expression in inside.items()
        ]
    return component


def _model(stem: str) -> Component:
    table = tomllib.loads((ROOT / "models" / f"{stem}.toml").read_text())
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{stem}@{table['sha256'][:12]}",
        "name": stem,
        "version": table["sha256"][:12],
        "description": table["origin"],
        "hashes": _hashes(table["sha256"]),
        "licenses": _licence(table["licence"]),
        "properties": [_property("file", f"models/{table['file']}")],
    }


def _licence(expression: str) -> list[dict[str, Any]]:
    return [{"expression": expression}] if " " in expression else [{"license": {"id": expression}}]


def _hashes(*sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": one} for one in sha256]


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"scrim:{name}", "value": value}
