"""bitsandbytes is imported without fetching code, whatever else is installed."""

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from adapters.four_bit import load_bitsandbytes
assert load_bitsandbytes().__name__ == "bitsandbytes"
assert load_bitsandbytes() is sys.modules["bitsandbytes"]
import kernels
print(kernels.__file__)
"""


def test_no_kernel_is_fetched_and_nothing_is_said(tmp_path: Path) -> None:
    # Stands where the real package would, and tells when it is asked.
    fetched = tmp_path / "fetched"
    (tmp_path / "kernels.py").write_text(
        f"def get_kernel(*_, **__):\n    open({str(fetched)!r}, 'w').close()\n    raise OSError\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Others may use the package.
    assert done.stdout.strip() == str(tmp_path / "kernels.py")
    assert not fetched.exists()
