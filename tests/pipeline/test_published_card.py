"""A published card, read from the Hub: its links lead somewhere, and its snippets run as they stand there."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, get_session
from markdown_it import MarkdownIt

from hubexpert import pipeline
from hubexpert.snippets import VLLM_RANKS
from tests.commands import run

SCRIPT = "{snippet}\nprint(type(model).__name__, model.active_adapters, tokenizer.vocab_size, hasattr(model, 'gate'))"


@pytest.fixture
def published(project: Callable[..., Path]) -> str:
    """The repository of a mixture of two experts, none of them trained further."""
    recipe = project(train={"epochs": 0}, experts={"candidates": 2, "count": 2}, task={"languages": ["en"]})
    opened = pipeline.open_project(recipe, quiet=True)
    pipeline.run(opened)
    assert run("publish", "--recipe", str(recipe), "--force", "--quiet") == 0
    return str(opened.recipe.publish.repo)


def test_links_and_pictures_are_there_and_the_snippets_run(published: str, endpoint: str, tmp_path: Path) -> None:
    """Every part at its commit, every figure in the repository; both ways to load it, each in a process of its own."""
    card = ModelCard.load(published)
    card.validate()
    assert card.data.to_dict()["base_model"] and card.data.language == ["en"]
    html = MarkdownIt("commonmark").enable("table").render(card.text)
    links = set(re.findall(r'(?:href|src)="([^"]*)"', html))
    ours = {link for link in links if link.startswith(endpoint)}
    pictures = {link for link in links if not link.startswith("http")}
    assert len(ours) >= 4 and all(re.search("/tree/[0-9a-f]{40}$", link) for link in ours)
    assert pictures == {f"figures/{name}.png" for name in ("comparison", "pool", "shares", "contributions")}
    assert all(link.startswith("https://arxiv.org/abs/") for link in links - ours - pictures)
    for address in (*ours, *(f"{endpoint}/{published}/resolve/main/{picture}" for picture in pictures)):
        assert get_session().get(address, follow_redirects=True).status_code == 200, address
    assert get_session().get(f"{endpoint}/{published}/tree/{'0' * 40}").status_code == 404

    python = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    assert ["hubexpert.load" in code for code in python] == [True, False]
    for code in python:
        script = tmp_path / "snippet.py"
        script.write_text(SCRIPT.format(snippet=code))
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("PeftModelForCausalLM ['default'] 2")

    (shell,) = re.findall(r"```sh\n(.*?)```", card.text, re.DOTALL)
    serve, base, *flags = shlex.split(shell)[1:]
    assert (serve, base) == ("serve", card.data.base_model)
    assert flags[:2] == ["--enable-lora", "--max-lora-rank"] and int(flags[2]) in VLLM_RANKS
    assert flags[3:] == ["--lora-modules", f"toy={published}"]
