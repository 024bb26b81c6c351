import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tokonomy
from tokonomy.measure import environment
from tokonomy.measure.protocol import PROTOCOL
from tokonomy.measure.reasons import REASONS
from tokonomy.store.record import Machine

ROOT = Path(tokonomy.__file__).parent


def test_a_machine_is_described_without_torch() -> None:
    program = (
        "import sys, json; from tokonomy.measure import environment as e;"
        "print(json.dumps([e.software(), e.hardware(), e.state(), 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    software, hardware, state, torch = json.loads(done.stdout)
    assert not torch
    machine = Machine(software=software, hardware=hardware, before=state, after=state)
    assert machine.software["python"] == ".".join(map(str, sys.version_info[:3]))
    assert machine.hardware["memory_bytes"]
    assert machine.before["load_1min"] is not None


def test_the_program_is_named_without_its_folder() -> None:
    found = environment.harness(["/somewhere/bin/tokonomy", "run", "quick"])
    assert found.argv == ["tokonomy", "run", "quick"]
    assert found.protocol == PROTOCOL


def test_the_command_line_keeps_private_folders_to_itself() -> None:
    here, home = Path.cwd(), Path.home()
    found = environment.harness(["tokonomy", f"--db={here}/a.sqlite", f"{home.parent}/x", "/"])
    assert found.argv[1:] == ["--db=a.sqlite", f"{home.parent}/x", "/"]
    away = environment.harness(["tokonomy", f"{home}/models/vit"]).argv[1]
    assert away in ("~/models/vit", f"{home}/models/vit".removeprefix(f"{here}/"))


def test_processors_are_named_with_how_many_may_be_used() -> None:
    model, _, count = environment.processors().rpartition(" x")
    assert model
    assert int(count) == environment.cores()


@pytest.mark.parametrize(
    ("files", "celsius"),
    [
        ({"thermal/thermal_zone0/type": "acpitz", "thermal/thermal_zone0/temp": "16800"}, None),
        (
            {
                "thermal/thermal_zone0/type": "acpitz",
                "thermal/thermal_zone0/temp": "16800",
                "thermal/thermal_zone3/type": "x86_pkg_temp",
                "thermal/thermal_zone3/temp": "61000",
            },
            61.0,
        ),
        ({"hwmon/hwmon0/name": "nvme", "hwmon/hwmon0/temp1_input": "40000"}, None),
        ({"hwmon/hwmon2/name": "k10temp", "hwmon/hwmon2/temp1_input": "55250"}, 55.25),
        ({"hwmon/hwmon2/name": "k10temp"}, None),
        ({}, None),
    ],
)
def test_a_temperature_is_of_a_processor_or_none(
    files: dict[str, str], celsius: float | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert environment.temperature_c(tmp_path) == celsius


def codes() -> set[str]:
    """Codes that the source passes on: of endings, of readings, of missing parts and of flags."""
    found = set()
    for path in (*ROOT.glob("run/*.py"), *ROOT.glob("measure/*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", None)
            texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
            if name == "Ended" and len(texts) > 1:
                found.add(texts[1])
            if name in ("stage", "called"):
                found.update(texts)
            if name in ("TelemetryError", "DeviceLost"):
                found.update(texts[:1])
            if name in ("Missing", "Flag"):
                found.update(
                    key.value.value
                    for key in call.keywords
                    if key.arg in ("reason", "code") and isinstance(key.value, ast.Constant)
                )
    return found


def test_every_code_in_the_source_is_in_the_table() -> None:
    assert len(codes()) > 20
    assert codes() <= set(REASONS)


def test_every_code_is_explained_in_a_sentence() -> None:
    for code, sentence in REASONS.items():
        assert sentence[0].isupper(), code
        assert sentence.endswith("."), code
