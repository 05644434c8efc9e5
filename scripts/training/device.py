"""What a training process runs on, and how it is set up: device, precision, threads, memory."""

import ctypes
import os

import torch


def device_and_precision() -> tuple[torch.device, str]:
    """CUDA if there is one, else the CPU; bfloat16 where the hardware multiplies matrices in it, else float32.

    Weights and optimizer stay in float32 either way. On CUDA the deterministic kernels are chosen, those that are compiled
    too; SDPA's backward has one for masks. What they cost is for benchmarks.gpu to say. Memory that nobody has written is not
    filled, since nobody reads it. torchrun's LOCAL_RANK names the GPU of this process.
    """
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("TORCHINDUCTOR_DETERMINISTIC", "1")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        return device, "bfloat16"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.device("cpu"), "bfloat16" if fast else "float32"


def settle() -> None:
    """Set this process up for a long run of small steps: one thread, and freed memory is kept.

    Two jobs of one thread are faster than one job of two; OMP_NUM_THREADS says otherwise. The GNU allocator gives large
    arrays back to the system after each use and gets them zeroed again page by page; keeping them is worth 10 to 20 %.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # not the GNU C library
    for name in (trim_threshold, mmap_threshold):
        mallopt(name, 1 << 30)
