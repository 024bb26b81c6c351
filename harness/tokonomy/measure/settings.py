"""What both arms compute with on a GPU: declared here, the same for both, and recorded.

TF32 is off, so that fp32 is fp32 everywhere; sums of bf16 products are reduced as torch does unless
told otherwise; attention may use every kernel that torch offers. A method that changes any of it
makes its run invalid: guards look after its calls, and at every multiply of the pass that counts
tokens, where what is changed inside a call and put back is seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import torch

from tokonomy.measure import heap

Setting = TypeVar("Setting")


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


def arithmetic() -> dict[str, bool | str]:
    """Shortcuts in arithmetic on a GPU, as they are set now, or what torch says instead.

    It refuses to tell of TF32 once that was set both in its old way and in its new one.
    """
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    return {
        "tf32 matmul": told(lambda: matmul.allow_tf32),
        "tf32 cudnn": told(lambda: cudnn.allow_tf32),
        "cudnn benchmark": told(lambda: cudnn.benchmark),
        "bf16 reductions": told(lambda: bool(matmul.allow_bf16_reduced_precision_reduction)),
        "fp16 reductions": told(lambda: bool(matmul.allow_fp16_reduced_precision_reduction)),
        "fp16 accumulation": told(lambda: matmul.allow_fp16_accumulation),
    }


def told(read: Callable[[], Setting]) -> Setting | str:
    """A setting of torch's, or the first line of why it cannot be read."""
    try:
        return read()
    except RuntimeError as error:
        return (str(error).strip().splitlines() or ["unreadable"])[0]


def computing() -> dict[str, object]:
    """Settings that change what a multiply computes, or how fast; quick to read."""
    return {
        "threads": torch.get_num_threads(),
        "matmul precision": told(torch.get_float32_matmul_precision),
        "attention kernels": kernels(),
        "arithmetic": arithmetic(),
        "cudnn": (torch.backends.cudnn.enabled, torch.backends.cudnn.deterministic),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
    }


def software(device: str) -> dict[str, str | None]:
    """How models were placed in memory; on a GPU versions and settings of what computes, too."""
    placed = {"heap gaps": "held while models are loaded" if heap.accounted() else None}
    if not device.startswith("cuda"):
        return placed
    library: Any = torch.backends.cudnn
    cudnn = library.version()
    shortcuts = [name for name, on in arithmetic().items() if on is not False]
    return placed | {
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
