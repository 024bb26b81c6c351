"""Which function of the scripted library in Python answers which name of NVML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokonomy.measure.scripted import handles, readings
from tokonomy.measure.scripted.events import EVENTS

#: Functions with code of their own, by the name that the C library gives them.
OWN: dict[str, Callable[..., Any]] = {
    **EVENTS,
    "nvmlInit_v2": handles.init,
    "nvmlInitWithFlags": handles.init,
    "nvmlShutdown": handles.shutdown,
    "nvmlErrorString": handles.error_string,
    "nvmlSystemGetCudaDriverVersion": handles.cuda_version,
    "nvmlSystemGetCudaDriverVersion_v2": handles.cuda_version,
    "nvmlSystemGetProcessName": handles.process_name,
    "nvmlDeviceGetCount_v2": handles.count,
    "nvmlDeviceGetHandleByIndex_v2": handles.by_index,
    "nvmlDeviceGetHandleByUUID": handles.by_uuid,
    "nvmlDeviceGetHandleByPciBusId_v2": handles.by_bus,
}
#: Those of one device, which is found, and every error of it answered, before their code runs.
OF_DEVICE: dict[str, Callable[..., int]] = {
    "nvmlDeviceGetMigDeviceHandleByIndex": handles.mig_by_index,
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": handles.parent,
    "nvmlDeviceIsMigDeviceHandle": handles.is_slice,
    "nvmlDeviceGetPciInfo_v3": handles.pci,
    "nvmlDeviceGetMemoryInfo": readings.memory,
    "nvmlDeviceGetMemoryInfo_v2": readings.memory_v2,
    "nvmlDeviceGetUtilizationRates": readings.utilization,
    "nvmlDeviceGetTemperatureV": readings.temperature,
    "nvmlDeviceGetViolationStatus": readings.violation,
    "nvmlDeviceGetPowerUsage": readings.power,
    "nvmlDeviceGetTotalEnergyConsumption": readings.energy,
    "nvmlDeviceGetFieldValues": readings.field_values,
}
