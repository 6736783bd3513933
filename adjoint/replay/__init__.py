"""The compiler of recorded programs, one for all backends: passes, fusion, memory planning; each backend emits the result."""
