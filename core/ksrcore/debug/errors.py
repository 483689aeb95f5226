"""What goes wrong in the debugger because of what it was asked for."""


class DebugError(Exception):
    """What was asked of a sandbox, a step or a hold cannot be done: one line."""
