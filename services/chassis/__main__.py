"""``python -m chassis SERVICE``: run a service by its name; the image's entry point takes it from ``SHOP_SERVICE``."""

import os
import runpy
import sys

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SHOP_SERVICE", "")
    if not name:
        sys.exit("which service? python -m chassis gateway|orders|catalog, or SHOP_SERVICE in the environment")
    runpy.run_module(name, run_name="__main__", alter_sys=True)
