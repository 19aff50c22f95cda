"""The calls that docs/jobs.md shows are ones that the client takes, and its script fails where something does."""

import ast
import inspect
import os
import re
import subprocess
import sysconfig
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


def test_the_job_of_a_webhook_fails_where_it_cannot_tell_whether_the_expert_is_stale(tmp_path: Path) -> None:
    """A job that ends well would look like an expert that is fresh."""
    (script,) = re.findall(r'SCRIPT = """\n(.*?)"""', PAGE.read_text(), re.DOTALL)
    (tmp_path / "pip").write_text("#!/bin/sh\n")
    (tmp_path / "hf").write_text("#!/bin/sh\nmkdir -p task; echo 'base: [' > hubexpert.yaml; cp hubexpert.yaml task\n")
    for name in ("pip", "hf"):
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not valid YAML" in done.stderr
    assert done.returncode == 1
