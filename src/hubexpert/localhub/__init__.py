"""A small, faithful Hugging Face Hub on this machine, for demonstrations, tests and air-gapped clusters.

It speaks to the unmodified clients (`huggingface_hub`, `datasets`, `transformers`, `peft`) over HTTP.
"""

from hubexpert.localhub.publishers import Publisher
from hubexpert.localhub.records import Token
from hubexpert.localhub.serve import LocalHub, serve
from hubexpert.localhub.store import Store

__all__ = ["LocalHub", "Publisher", "Store", "Token", "serve"]
