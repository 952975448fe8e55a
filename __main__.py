"""The program that `pulumi up` runs: declares the environment of the stack."""

import pulumi

from stacks.environment import main

pulumi.run(main)
