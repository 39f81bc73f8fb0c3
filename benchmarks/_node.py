"""The other side: Node and the pinned JsSIP under benchmarks/node."""

from __future__ import annotations

import functools
import shutil
import subprocess

from benchmarks._common import HERE

NODE_DIR = HERE / "node"


@functools.cache
def unavailable() -> str | None:
    """Why JsSIP cannot be run here, in plain words, or None. Installs the pinned packages when missing."""
    if shutil.which("node") is None:
        return "node is not installed"
    if (NODE_DIR / "node_modules" / "jssip").is_dir() and (NODE_DIR / "node_modules" / "ws").is_dir():
        return None
    if shutil.which("npm") is None:
        return "npm is not installed, and benchmarks/node/node_modules is missing"
    try:
        result = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=NODE_DIR,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return "`npm ci` in benchmarks/node did not end within 300 s"
    if result.returncode:
        last = (result.stderr.strip() or "no message").splitlines()[-1]
        return f"`npm ci` in benchmarks/node failed: {last}"
    return None


def node(script: str, *arguments: object) -> list[str]:
    """A command that runs a script of benchmarks/node; memory is counted after a forced collection."""
    return ["node", "--expose-gc", str(NODE_DIR / script), *map(str, arguments)]
