"""The binding layer: errors, fields, strings and counting of users, through the real ``pynvml``."""

from dataclasses import replace

import pynvml
import pytest

from gpus import KINDS, one, scripted
from tokonomy.errors import DeviceLost, TelemetryError
from tokonomy.measure import nvml, throttling
from tokonomy.measure.reasons import REASONS
from tokonomy.measure.scripted import Fault, Field, Profile, flat, installed
from tokonomy.measure.scripted.faults import FAULTS
from tokonomy.measure.scripted.install import Kind
from tokonomy.measure.telemetry import tried
from tokonomy.store.fields import Missing

UUID = Profile().gpus[0].uuid


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("library-missing", "nvml-library-missing"),
        ("driver-not-loaded", "driver-not-loaded"),
        ("version-mismatch", "driver-version-mismatch"),
    ],
)
def test_a_library_that_does_not_open_says_why(fault: str, reason: str, kind: Kind) -> None:
    with (
        installed(FAULTS[fault](0.0), kind=kind),
        pytest.raises(TelemetryError) as caught,
        nvml.library(),
    ):
        pass
    assert caught.value.reason == reason
    assert "nvmlInit" in caught.value.detail


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (pynvml.NVML_ERROR_NOT_SUPPORTED, "nvml-not-supported"),
        (pynvml.NVML_ERROR_NO_PERMISSION, "nvml-no-permission"),
        (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "nvml-function-missing"),
        (pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH, "nvml-function-missing"),
        (pynvml.NVML_ERROR_TIMEOUT, "nvml-timeout"),
        (pynvml.NVML_ERROR_GPU_IS_LOST, "device-lost"),
        (pynvml.NVML_ERROR_RESET_REQUIRED, "device-lost"),
        (pynvml.NVML_ERROR_UNKNOWN, "nvml-error"),
        (pynvml.NVML_ERROR_IRQ_ISSUE, "nvml-error"),
        (31_000, "nvml-error"),
    ],
)
def test_every_return_code_has_a_reason(code: int, reason: str, kind: Kind) -> None:
    fault = Fault(function="nvmlDeviceGetPowerManagementLimit", code=code)
    with scripted(replace(Profile(), faults=(fault,)), kind):
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        with pytest.raises(TelemetryError) as caught:
            nvml.ask("nvmlDeviceGetPowerManagementLimit", handle)
    assert caught.value.reason == reason
    assert isinstance(caught.value, DeviceLost) is (reason == "device-lost")
    assert reason in REASONS
    assert f"code {code}" in caught.value.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_that_the_driver_lacks_falls_back_to_its_older_name(kind: Kind) -> None:
    profile = replace(FAULTS["symbol-missing"](0.0), gpus=(one(reasons=flat(0x24)).gpus))
    with scripted(profile, kind):
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        with pytest.raises(TelemetryError, match="nvml-function-missing"):
            nvml.ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
        assert throttling.active(handle) == ["software power cap", "software thermal slowdown"]
        with pytest.raises(TelemetryError, match="nvml-function-missing"):
            nvml.field(handle, nvml.POWER_INSTANT)


def test_a_function_that_the_binding_lacks_is_missing_too() -> None:
    with pytest.raises(TelemetryError, match="nvml-function-missing"):
        nvml.ask("nvmlDeviceGetSomethingNewer")


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_name_that_fails_otherwise_does_not_fall_back(kind: Kind) -> None:
    fault = Fault(
        function="nvmlDeviceGetCurrentClocksEventReasons", code=pynvml.NVML_ERROR_NO_PERMISSION
    )
    with scripted(replace(Profile(), faults=(fault,)), kind):
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        with pytest.raises(TelemetryError, match="nvml-no-permission"):
            throttling.active(handle)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_read_by_its_own_code_and_type(kind: Kind) -> None:
    fields = (
        Field(id=185, code=pynvml.NVML_ERROR_NOT_SUPPORTED, course=flat(5)),
        Field(id=186, course=flat(250_000)),
        Field(id=83, type=3, course=flat(2**40)),
        Field(id=187, course=flat(2**32 - 1)),
        Field(id=188, type=99, course=flat(1)),
    )
    with scripted(one(fields=fields), kind):
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        assert nvml.field(handle, 186) == 250_000
        assert nvml.field(handle, 83) == 2**40
        for number, scope, reason in (
            (185, 0, "nvml-not-supported"),
            (186, 1, "nvml-not-supported"),
            (187, 0, "nvml-error"),
            (188, 0, "nvml-error"),
        ):
            with pytest.raises(TelemetryError) as caught:
                nvml.field(handle, number, scope)
            assert (caught.value.reason, str(number) in caught.value.detail) == (reason, True)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_read_at_once_answer_one_by_one(kind: Kind) -> None:
    fields = (
        Field(id=185, code=pynvml.NVML_ERROR_NO_PERMISSION),
        Field(id=186, course=flat(250_000)),
        Field(id=83, type=3, course=flat(2**40)),
    )
    with scripted(one(fields=fields, read_cost_us=1000), kind) as clock:
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        begun = clock.now()
        refused, *rest, missing = nvml.fields(handle, (185, 0), (186, 0), (83, 0), (186, 1))
        assert clock.now() - begun == 1_000_000  # one read, whatever it is of
    assert rest == [250_000, 2**40]
    reasons = [each.reason for each in (refused, missing) if isinstance(each, Missing)]
    assert reasons == ["nvml-no-permission", "nvml-not-supported"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_a_lost_device_raises(kind: Kind) -> None:
    gone = Field(id=186, code=pynvml.NVML_ERROR_GPU_IS_LOST)
    with scripted(one(fields=(gone,)), kind):
        handle = nvml.ask("nvmlDeviceGetHandleByUUID", UUID)
        with pytest.raises(DeviceLost):
            nvml.fields(handle, (185, 0), (186, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_users_are_counted_so_that_opening_nests(kind: Kind) -> None:
    with scripted(Profile(), kind):
        with nvml.library():
            pass
        assert nvml.ask("nvmlDeviceGetCount") == 1
    with installed(Profile(), kind=kind), pytest.raises(TelemetryError, match="nvml-error"):
        nvml.ask("nvmlDeviceGetCount")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"caf\xff", "caf�"),
        ("a\x1b[31mred\u202e", "a[31mred"),
        ("x" * 5000, "x" * 200),
        ("  padded\x00 ", "padded"),
    ],
)
def test_strings_of_a_driver_are_cleaned(said: str | bytes, shown: str) -> None:
    assert nvml.clean(said) == shown


def test_a_string_that_is_no_utf_8_is_still_a_string(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(handle: object) -> str:
        return b"GPU \xff".decode()

    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", strict)
    assert nvml.text("nvmlDeviceGetName", None) == "GPU �"


def test_a_lost_device_is_never_taken_for_a_reading_that_is_not_there() -> None:
    def lost() -> int:
        raise DeviceLost("device-lost")

    def mute() -> int:
        raise TelemetryError("nvml-not-supported")

    assert tried(mute) == Missing(reason="nvml-not-supported")
    assert tried(lambda: 3) == 3
    assert nvml.told(mute) is None
    assert nvml.either(mute, lambda: 3) == 3
    with pytest.raises(DeviceLost):
        tried(lost)
    with pytest.raises(DeviceLost):
        nvml.told(lost)
    with pytest.raises(DeviceLost):
        nvml.either(lost, lambda: 3)
