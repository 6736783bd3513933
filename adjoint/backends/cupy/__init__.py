"""NVIDIA GPUs: CuPy's kernels, and how it replays a captured program. CuPy is imported when the backend is chosen."""
