"""Setup of the project's own Python environment, `.venv`.

Run by the Makefile as `python3 -m slipway.bootstrap`, before anything is installed: standard library only.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from slipway.progress import say, step

CHECKOUT = Path(__file__).resolve().parents[1]
#: Oldest Python version of the pinned packages (as in pyproject.toml).
PYTHON = (3, 11)
#: Seconds of an installation on two otherwise idle cores with an empty cache.
USUAL = {"requirements.txt": 60, "requirements-dev.txt": 70}


def main(arguments: list[str]) -> int:
    """Make or complete the environment, silently if it is complete; return the exit code.

    Args:
        arguments: `--dev` adds the packages of the tests.
    """
    if sys.version_info < PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        return _fail(
            f"Python {found} ({sys.executable}) is too old; Slipway needs 3.11: run `make PYTHON=python3.11 …`"
        )
    requirements = "requirements-dev.txt" if "--dev" in arguments else "requirements.txt"
    home = CHECKOUT / ".venv"
    stamps = {name: home / f"{name}.installed" for name in USUAL}
    # A development environment includes the other.
    enough = {requirements, "requirements-dev.txt"}
    if any(stamps[name].exists() and stamps[name].read_text() == _key(name) for name in enough):
        return 0
    if not any(stamp.exists() for stamp in stamps.values()):
        # No stamp: the environment is missing, or its installation was interrupted.
        with step("make the Python environment .venv"):
            made = _run(sys.executable, "-m", "venv", "--clear", str(home))
        if made:
            return _fail(f".venv: not made ({made}); on Debian: apt install python3-venv")
    for stamp in stamps.values():
        stamp.unlink(missing_ok=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    with step(f"install the Python packages of {requirements}", USUAL[requirements]):
        failed = _run(*pip, "-c", "constraints.txt", "-r", requirements, "-e", ".")
    if failed:
        return _fail(f"{requirements}: not installed: {failed}")
    stamps[requirements].write_text(_key(requirements))
    say("  ✓ .venv is ready; `source .venv/bin/activate` to have `slipway` on PATH")
    return 0


def _key(requirements: str) -> str:
    pins = hashlib.sha256(sys.version.encode() + requirements.encode())
    for name in (*USUAL, "constraints.txt", "pyproject.toml"):
        pins.update((CHECKOUT / name).read_bytes())
    return pins.hexdigest()


def _run(*command: str) -> str | None:
    """Run a command quietly; return the line with the reason of its failure, or None."""
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()
    return next((line for line in lines if line.startswith("ERROR")), lines[-1])


def _fail(reason: str) -> int:
    print(f"slipway: {reason}", file=sys.stderr)
    return 5  # slipway.errors.ExitCode.MACHINE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
