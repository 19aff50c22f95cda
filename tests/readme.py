"""The block of README.md that shows `hubexpert discover`: `python tests/readme.py` writes it anew.

`tests/test_readme.py` runs the same command and compares.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import hubexpert

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- discover: written by tests/readme.py -->\n```console\n", "\n```\n"
FILL = """
import sys
from pathlib import Path
from hubexpert.localhub import Store
from tests.discover.wild import fill
fill(Store(Path(sys.argv[1]) / "hub"), Path(sys.argv[1]) / "files")
"""


def block(text: str) -> tuple[str, str]:
    """The command of the block, and what stands below it."""
    shown = text.split(BEGIN)[1].split(END)[0]
    command, _, output = shown.partition("\n")
    return command.removeprefix("$ "), output


def shown_by(command: str) -> str:
    """What the command prints, before a Hub of its own with all that `tests/data` holds, and an empty `HF_HOME`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "HUBEXPERT"))}
    sources = Path(hubexpert.__file__).parents[1]
    kept |= {"PYTHONPATH": f"{sources}{os.pathsep}{ROOT}", "NO_PROXY": "127.0.0.1,localhost"}
    with tempfile.TemporaryDirectory(prefix="hubexpert-readme-") as folder:
        subprocess.run([sys.executable, "-c", FILL, folder], env=kept, check=True)
        serve = [sys.executable, "-m", "hubexpert", "hub", "serve", "--root", f"{folder}/hub", "--port", "0"]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, env=kept, text=True) as server:
            assert server.stdout is not None
            try:
                kept |= {"HF_ENDPOINT": server.stdout.readline().strip(), "HF_HOME": f"{folder}/home"}
                typed = [sys.executable, "-m", *shlex.split(command)]
                done = subprocess.run(typed, env=kept, cwd=folder, capture_output=True, text=True, check=True)
            finally:
                server.terminate()
    return done.stdout.rstrip("\n")


def main() -> None:
    """Write the block anew."""
    text = README.read_text(encoding="utf-8")
    command, old = block(text)
    README.write_text(text.replace(f"{BEGIN}$ {command}\n{old}{END}", f"{BEGIN}$ {command}\n{shown_by(command)}{END}"))


if __name__ == "__main__":
    main()
