"""The chart library: what is committed is what its lock builds, small, and with its licences."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE, BUILT = ROOT / "site/vendor", ROOT / "site/tokonomy_site/static/vendor"
KIB = 1024
#: What npm says where there is no registry, or where it does not give what is asked for.
UNREACHED = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ETIMEDOUT",
             "ERR_SOCKET_TIMEOUT", "E401", "E403", "E404", "E50")  # fmt: skip


def test_files_are_those_that_were_built() -> None:
    described = json.loads((BUILT / "VENDOR.json").read_text(encoding="utf-8"))
    names = {path.name for path in BUILT.iterdir()}
    assert names == {"VENDOR.json", *(file["name"] for file in described["files"])}
    for file in described["files"]:
        content = (BUILT / file["name"]).read_bytes()
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_every_package_in_the_bundle_is_locked_and_has_its_licence() -> None:
    described = json.loads((BUILT / "VENDOR.json").read_text(encoding="utf-8"))
    locked = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    licences = (BUILT / "LICENSES.txt").read_text(encoding="utf-8")
    names = {package["name"] for package in described["packages"]}
    assert {"@observablehq/plot", "d3-scale", "d3-shape"} <= names
    for package in described["packages"]:
        found = locked[f"node_modules/{package['name']}"]
        assert found["version"] == package["version"]
        assert found["integrity"] == package["integrity"]
        assert f"{package['name']} {package['version']} ({found['license']})" in licences


def test_the_lock_pins_every_package_and_names_no_registry() -> None:
    text = (SOURCE / "package-lock.json").read_text(encoding="utf-8")
    packages = {k: v for k, v in json.loads(text)["packages"].items() if k}
    assert len(packages) > 30
    assert all(v["integrity"].startswith("sha512-") for v in packages.values())
    assert "resolved" not in text
    assert "http" not in text
    asked = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))
    versions = [*asked["dependencies"].values(), *asked["devDependencies"].values()]
    assert all(version[0].isdigit() for version in versions)


def test_the_bundle_is_small_and_evaluates_no_text() -> None:
    content = (BUILT / "plot.js").read_bytes()
    assert len(content) <= 260 * KIB
    assert len(gzip.compress(content)) <= 90 * KIB
    text = content.decode()
    assert "eval(" not in text
    assert "new Function" not in text


@pytest.mark.network
def test_the_lock_builds_the_same_bytes_again(tmp_path: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm to build the chart library again")
    for name in ("package.json", "package-lock.json", ".npmrc", "chart.js", "build.mjs"):
        shutil.copy(SOURCE / name, tmp_path / name)
    fetched = subprocess.run(
        ["npm", "ci", "--fetch-retries=0", "--fetch-timeout=60000"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if fetched.returncode and any(code in fetched.stderr for code in UNREACHED):
        pytest.skip("needs a package registry to build the chart library again")
    assert fetched.returncode == 0, fetched.stderr
    command = ["node", "build.mjs", str(tmp_path / "built")]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    for path in BUILT.iterdir():
        assert (tmp_path / "built" / path.name).read_bytes() == path.read_bytes(), path.name
