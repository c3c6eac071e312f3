"""``python -m chassis SERVICE``: run a service by its name; the image's entry point takes it from ``SHOP_SERVICE``.

``python -m chassis migrate SERVICE`` runs the migrations of its database.
"""

import os
import runpy
import sys

if __name__ == "__main__":
    # nats-py loads it where it is installed, for WebSockets, which nobody speaks here. The images don't have it.
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    arguments = sys.argv[1:]
    migrating = arguments[:1] == ["migrate"]
    name = next(iter(arguments[migrating:]), os.environ.get("SHOP_SERVICE", ""))
    if not name:
        sys.exit("which service? python -m chassis [migrate] orders, or SHOP_SERVICE in the environment")
    if migrating:
        from chassis import migrations  # only here: it loads what a service may not need

        migrations.main(name)
    else:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
