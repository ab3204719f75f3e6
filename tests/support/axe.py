"""axe-core, the accessibility checker, fetched for tests alone: pinned, and its hash checked.

``make axe`` asks npm, as it is configured on this machine, for one version and
keeps one file of it beside the virtual environment's packages.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.14.1"
#: SHA-512 of the package, as the registry's own integrity field has it.
INTEGRITY: Final = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
AXE: Final = Path(__file__).parent.parent.parent / ".venv" / f"axe-core-{VERSION}" / "axe.min.js"


def fetch() -> None:
    """Fetch the pinned version; nothing is run or kept when the hash is another.

    Raises:
        OSError: npm is not there.
        subprocess.CalledProcessError: npm could not fetch it.
        ValueError: it is not the package that was pinned.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked = ["npm", "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", folder]
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, timeout=120)
        (package,) = Path(folder).glob("*.tgz")
        found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            raise ValueError(f"axe-core {VERSION} has the SHA-512 {found}, not {INTEGRITY}")
        with tarfile.open(package) as files:
            script = files.extractfile("package/axe.min.js")
            assert script is not None, "a package without its script"
            AXE.parent.mkdir(parents=True, exist_ok=True)
            AXE.write_bytes(script.read())


if __name__ == "__main__":
    if not AXE.is_file():
        try:
            fetch()
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            sys.exit(f"axe-core cannot be had ({error}); tests that need it will be skipped")
    print(AXE)
