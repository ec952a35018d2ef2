"""A plugin: says in the end how each step of the job went."""
from slipway.plugins import Plugin


class Times(Plugin):
    def cleanup(self, context):
        for step in context["steps"]:
            print(f"{step['phase']}: {step['name']} {step['outcome']}")
