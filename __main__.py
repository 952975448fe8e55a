"""The program that `pulumi up` runs: declares the environment of the stack."""

import pulumi

from stacks import pacing

# Before the imports of all that the program is made of.
pacing.collect_rarely()

from stacks.environment import main  # noqa: E402

pulumi.run(main)
