"""What a user writes with `huggingface_hub` alone: list the adapters of a base, then read the files of the first ones.

`python peer.py BASE LIMIT` prints one JSON object: how many were listed, tried, and read wholly.
"""

import json
import sys
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

WEIGHTS = "adapter_model.safetensors"


def main(base: str, limit: int) -> None:
    api = HfApi()
    models = list(api.list_models(filter=f"base_model:adapter:{base}", sort="downloads", full=True, cardData=True))
    read = 0
    for model in models[:limit]:
        try:
            config = json.loads(Path(hf_hub_download(model.id, "adapter_config.json", revision=model.sha)).read_text())
            header = api.parse_safetensors_file_metadata(model.id, WEIGHTS, revision=model.sha)
        except Exception as error:  # noqa: BLE001 - a script goes on with the next one
            print(model.id, type(error).__name__, file=sys.stderr)
            continue
        read += bool(config and header.tensors)
    print(json.dumps({"listed": len(models), "tried": len(models[:limit]), "read": read}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
