"""The calls that docs/jobs.md shows are ones that the client takes."""

import ast
import inspect
import re
from pathlib import Path

from huggingface_hub import HfApi

from hubexpert.jobs.command import IMAGE

PAGE = Path(__file__).parents[2] / "docs/jobs.md"


def test_every_call_of_the_snippet_fits_the_clients_signature() -> None:
    text = PAGE.read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    calls = [node for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Call)]
    named = {node.func.attr: node for node in calls if isinstance(node.func, ast.Attribute)}
    assert set(named) == {"run_job", "create_webhook"}
    for name, node in named.items():
        keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        inspect.signature(getattr(HfApi, name)).bind(None, **keywords)
    inspect.signature(HfApi.create_scheduled_job).bind(
        None, schedule="", image="", command=[], secrets={}, flavor="local"
    )
    assert text.count(IMAGE) == 2
