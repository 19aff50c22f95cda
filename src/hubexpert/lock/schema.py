"""The form of a lock, as JSON Schema."""

import json

from hubexpert.lock.whole import LOCK_VERSION, Lock

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The JSON Schema of locks of this version: made from the records, as they are written."""
    made = Lock.model_json_schema(mode="serialization")
    head = {"$schema": DIALECT, "$id": f"urn:hubexpert:lock:{LOCK_VERSION}", "title": "hubexpert.lock"}
    return json.dumps({**made, **head}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
