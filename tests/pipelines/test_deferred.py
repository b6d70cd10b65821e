import subprocess
import sys

import pytest

AFTER = "import sys; import pipelines; from haystack import Document, Pipeline, component; "


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_haystack_is_imported_without_torch() -> None:
    assert (
        python(AFTER + "print('torch' in sys.modules, 'posthog' in sys.modules)") == "False False"
    )


@pytest.mark.parametrize(
    "use",
    [
        "import torch; print(torch.zeros(2).sum().item())",
        "import torch.nn.functional as F; import torch; print(F.relu(torch.zeros(1)).item())",
        "from torch import nn; print(float(nn.Identity()(0.0)))",
        "from haystack.utils.device import torch; print(torch.zeros(1).item())",
    ],
)
def test_torch_is_real_when_it_is_used_later(use: str) -> None:
    assert python(AFTER + use) == "0.0"


def test_torch_loaded_before_stays() -> None:
    assert python("import torch as t, pipelines, torch; print(t is torch)") == "True"


def test_a_missing_library_is_not_pretended() -> None:
    hide = (
        "import importlib.util as u; real = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'torch' else real(name, *a); "
        "import sys; sys.modules['torch'] = None; "
        "import pipelines; print(sys.modules['torch'])"
    )
    assert python(hide) == "None"
