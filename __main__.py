"""The program that `pulumi up` runs: declares the environment of the stack."""

import gc

import pulumi

# What imports leave, a hundred thousand objects, stays. By default it is searched for cycles again and again while it
# grows, which was a twelfth of the processor time of a small preview.
gc.set_threshold(10_000)

from stacks.environment import main  # noqa: E402

pulumi.run(main)
