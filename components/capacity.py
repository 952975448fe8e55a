"""Nodes with volumes of a cluster on AWS, as pods ask for them.

Capacity("prod", SystemArgs(objects=compile_capacity(settings, context)), ResourceOptions(providers=[provider]))
"""

from __future__ import annotations

from components import tokens
from components.system import System


class Capacity(System):
    """The autoscaler of node pools, with the default class of volumes."""

    TOKEN = tokens.CAPACITY
