"""What every vLLM engine of this workflow is given, for samples and for lm-eval alike."""

import os

CPU_CACHE = 1 << 30  # bytes; by default vLLM takes nine tenths of all memory, and stops where others use some of it
SILENT = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}


def settings() -> dict:
    """Arguments of vllm.LLM: bfloat16 on GPUs; float32, uncompiled and in 1 GiB of cache in vLLM's build for CPUs.

    Only safetensors are read, nothing is asked of the hub and no usage statistics are sent. To be called before vllm is
    imported, which reads the environment once. Raises ImportError when vllm is not installed.
    """
    os.environ.update(SILENT)
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # else it binds every job of a machine to the same cores
    from vllm.platforms import current_platform

    common = {"load_format": "safetensors"}
    if current_platform.is_cpu():  # compiling takes longer than a CPU's small models compute
        return {**common, "dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": CPU_CACHE}
    return {**common, "dtype": "bfloat16", "enforce_eager": False, "kv_cache_memory_bytes": None}  # as much as there is
