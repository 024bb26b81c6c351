"""The functions of NVML that the scripted library has, by the shape of their arguments.

Names are those of the C library; everything else is missing, as in a driver that is too old.
Numbers of its interface (error codes, fields) are facts of NVIDIA's ``nvml.h``.
"""

from __future__ import annotations

#: (device, inputs ..., outputs ...): name to number of outputs. Answered from one table.
SCALARS: dict[str, int] = {
    "nvmlDeviceGetIndex": 1,
    "nvmlDeviceGetMinorNumber": 1,
    "nvmlDeviceGetBrand": 1,
    "nvmlDeviceGetArchitecture": 1,
    "nvmlDeviceGetNumGpuCores": 1,
    "nvmlDeviceGetComputeMode": 1,
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetVirtualizationMode": 1,
    "nvmlDeviceGetMaxMigDeviceCount": 1,
    "nvmlDeviceGetGpuInstanceId": 1,
    "nvmlDeviceGetComputeInstanceId": 1,
    "nvmlDeviceGetPowerManagementMode": 1,
    "nvmlDeviceGetPowerManagementLimit": 1,
    "nvmlDeviceGetPowerManagementDefaultLimit": 1,
    "nvmlDeviceGetEnforcedPowerLimit": 1,
    "nvmlDeviceGetPerformanceState": 1,
    "nvmlDeviceGetPowerState": 1,
    "nvmlDeviceGetCudaComputeCapability": 2,
    "nvmlDeviceGetMigMode": 2,
    "nvmlDeviceGetEccMode": 2,
    "nvmlDeviceGetPowerManagementLimitConstraints": 2,
    "nvmlDeviceGetClockInfo": 1,
    "nvmlDeviceGetMaxClockInfo": 1,
    "nvmlDeviceGetApplicationsClock": 1,
    "nvmlDeviceGetDefaultApplicationsClock": 1,
    "nvmlDeviceGetTemperature": 1,
    "nvmlDeviceGetTemperatureThreshold": 1,
    "nvmlDeviceGetClock": 1,
    "nvmlDeviceGetTotalEccErrors": 1,
    "nvmlDeviceGetMemoryErrorCounter": 1,
    "nvmlDeviceGetCurrentClocksEventReasons": 1,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 1,
    "nvmlDeviceGetSupportedClocksEventReasons": 1,
    "nvmlDeviceGetSupportedClocksThrottleReasons": 1,
    "nvmlDeviceGetSupportedEventTypes": 1,
}
#: (device, text, length).
TEXTS = (
    "nvmlDeviceGetName",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetVbiosVersion",
    "nvmlDeviceGetSerial",
)
#: (text, length).
SYSTEM_TEXTS = ("nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion")
#: Lists of processes: name of the function to the kind of process in it.
PROCESSES = {
    "nvmlDeviceGetComputeRunningProcesses_v3": "compute",
    "nvmlDeviceGetGraphicsRunningProcesses_v3": "graphics",
    "nvmlDeviceGetMPSComputeRunningProcesses_v2": "mps",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3": "mps",
}
#: Everything else, each with code of its own.
OTHERS = (
    "nvmlInit_v2",
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlErrorString",
    "nvmlSystemGetCudaDriverVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlSystemGetProcessName",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetHandleByPciBusId_v2",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetDeviceHandleFromMigDeviceHandle",
    "nvmlDeviceIsMigDeviceHandle",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetTemperatureV",
    "nvmlDeviceGetViolationStatus",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetFieldValues",
    "nvmlEventSetCreate",
    "nvmlDeviceRegisterEvents",
    "nvmlEventSetWait_v2",
    "nvmlEventSetFree",
)
FUNCTIONS = frozenset((*SCALARS, *TEXTS, *SYSTEM_TEXTS, *PROCESSES, *OTHERS))
#: Reading one of these takes the profile's ``read_cost_us``.
COSTLY = frozenset(
    {
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetFieldValues",
    }
)

SUCCESS = 0
UNINITIALIZED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
GPU_IS_LOST = 15
LIB_RM_VERSION_MISMATCH = 18
ARGUMENT_VERSION_MISMATCH = 25
#: Text of each error code.
ERRORS = {
    0: "Success",
    1: "Uninitialized",
    2: "Invalid Argument",
    3: "Not Supported",
    4: "Insufficient Permissions",
    5: "Already Initialized",
    6: "Not Found",
    7: "Insufficient Size",
    8: "Insufficient External Power",
    9: "Driver Not Loaded",
    10: "Timeout",
    11: "Interrupt Request Issue",
    12: "NVML Shared Library Not Found",
    13: "Function Not Found",
    14: "Corrupted infoROM",
    15: "GPU is lost",
    16: "GPU requires restart",
    17: "The operating system has blocked the request.",
    18: "RM has detected an NVML/RM version mismatch.",
    999: "Unknown Error",
}
#: Text of every other one.
UNNAMED = "Unknown Error"

#: Kinds of event: a critical error, by its Xid number.
EVENT_XID = 0x8
#: Types of a field's value.
UNSIGNED_INT, UNSIGNED_LONG_LONG = 1, 3
SCOPE_GPU, SCOPE_MODULE = 0, 1
#: Handle of the first device, of the first set of events; others follow one by one.
FIRST_DEVICE, FIRST_SET = 0x5C0000, 0x5E0000
EVENT_SETS = 16
