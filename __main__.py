"""The program that `pulumi up` runs."""

import pulumi

from stacks import pacing

# Before the program's imports.
pacing.collect_rarely()

from stacks.environment import main  # noqa: E402

pulumi.run(main)
