"""Adapters in one batch beside PEFT: speed, switching, loading, equality and faults.

    python benchmarks/adapters.py [--quick] [--model random-phi3-mini] [--json FILE]

What is measured, and how, stands in adapter_serving.py and adapter_faults.py.
"""

from pathlib import Path

# Scripts in this folder find this file where they look for the package of its name: it leads there.
__path__ = [str(Path(__file__).parents[1] / "adapters")]

if __name__ == "__main__":
    from adapter_serving import main

    main()
