"""Nodes with volumes of a cluster on AWS, as pods ask for them."""

from components.system import System


class Capacity(System):
    """The autoscaler of node pools, with the default class of volumes."""

    TOKEN = "slipway:capacity:Capacity"
