"""Which files are kept as git blobs (`regular`) and which as LFS objects."""

from fnmatch import fnmatch
from typing import Literal

REGULAR_LIMIT = 5 * 1024 * 1024  # bytes; the client reads a regular file into memory and sends it inside the commit

_LFS_PATTERNS = (  # noqa: SIM905 - a table of words
    "*.7z *.arrow *.bin *.bin.* *.bz2 *.ckpt *.ftz *.gguf *.gz *.h5 *.joblib *.lfs.* *.lz4 *.mds *.mlmodel *.model"
    " *.msgpack *.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors *.tar.* *.tar"
    " *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"
).split()

GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LFS_PATTERNS).encode()


def upload_mode(path: str, size: int, sample: bytes) -> Literal["regular", "lfs"]:
    """Where a file belongs, by its name, its size in bytes and its first bytes; empty files are always regular."""
    if size == 0:
        return "regular"
    name = path.rpartition("/")[2]
    binary = b"\0" in sample
    return "lfs" if binary or size > REGULAR_LIMIT or any(fnmatch(name, p) for p in _LFS_PATTERNS) else "regular"
