"""What both arms compute with on a GPU: declared here, the same for both, and recorded.

TF32 is off, so that fp32 is fp32 everywhere; sums of bf16 products are reduced as torch does unless
told otherwise; attention may use every kernel that torch offers. A method that changes any of it
makes its run invalid.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


def declare(device: str) -> None:
    """Make ``device`` the current one and put the settings in place; nothing on a processor."""
    if not device.startswith("cuda"):
        return
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False


def kernels() -> dict[str, bool]:
    """Attention kernels that may be used; named after CUDA, and obeyed on every device."""
    allowed: Any = torch.backends.cuda
    return {
        "flash": allowed.flash_sdp_enabled(),
        "memory-efficient": allowed.mem_efficient_sdp_enabled(),
        "math": allowed.math_sdp_enabled(),
        "cudnn": allowed.cudnn_sdp_enabled(),
    }


def arithmetic() -> dict[str, bool]:
    """Shortcuts in arithmetic on a GPU, as they are set now."""
    return {
        "tf32 matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32 cudnn": torch.backends.cudnn.allow_tf32,
        "cudnn benchmark": torch.backends.cudnn.benchmark,
        "bf16 reductions": bool(torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction),
    }


def software(device: str) -> dict[str, str | None]:
    """Versions and settings of what computes on a GPU; empty on a processor."""
    if not device.startswith("cuda"):
        return {}
    library: Any = torch.backends.cudnn
    cudnn = library.version()
    shortcuts = [name for name, on in arithmetic().items() if on]
    return {
        "cuda": torch.version.cuda,
        "cudnn": None if cudnn is None else str(cudnn),
        "shortcuts": ", ".join(shortcuts) or "none",
        "attention kernels": ", ".join(name for name, on in kernels().items() if on),
        "allocator": _allocator(),
        "triton": _triton(),
    }


def _allocator() -> str:
    """How torch's allocator is configured from outside."""
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        if name in os.environ:
            return os.environ[name][:500]
    return "default"


def _triton() -> str | None:
    """Version of what ``torch.compile`` makes kernels with on a GPU."""
    try:
        return version("triton")
    except PackageNotFoundError:
        return None
