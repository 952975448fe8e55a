"""Notes what a program has imported by the time that it registers its first resource.

Python runs this file at its start when its folder is on PYTHONPATH. Only real loads are timed, the outermost of each
nest, so an import inside a function counts as one at the top does.
"""

import importlib._bootstrap as bootstrap
import json
import os
import sys
import time

target = os.environ.get("SLIPWAY_BENCH_IMPORTS")
load = bootstrap._find_and_load
spent, depth = 0.0, 0


def timed(name, import_):
    """Load a module, on the clock."""
    global spent, depth
    if depth:
        return load(name, import_)
    depth, started = 1, time.perf_counter()
    try:
        return load(name, import_)
    finally:
        spent, depth = spent + time.perf_counter() - started, 0
        watch_first_registration()


def watch_first_registration():
    """Wrap the constructor of resources, once there is one."""
    resource = getattr(sys.modules.get("pulumi.resource"), "Resource", None)
    if resource is None or bootstrap._find_and_load is not timed or hasattr(resource, "watched"):
        return
    construct = resource.__init__
    resource.watched = True

    def constructed(self, token, *arguments, **options):
        # The stack is the SDK's own, registered before the program runs.
        if token != "pulumi:pulumi:Stack" and bootstrap._find_and_load is timed:
            bootstrap._find_and_load = load
            tops = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
            found = {
                "seconds": spent,
                "modules": len(sys.modules),
                "packages": sorted(name for name in tops if not name.startswith("_")),
            }
            with open(target, "w") as file:
                json.dump(found, file)
        construct(self, token, *arguments, **options)

    resource.__init__ = constructed


if target:
    bootstrap._find_and_load = timed
