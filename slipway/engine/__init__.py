"""Pulumi's engine, driven through the Automation API."""
