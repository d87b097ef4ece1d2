"""What a command cannot do, told to whoever typed it."""


class TrainError(Exception):
    """The input, the folder or the machine does not allow it. The message says what would."""


class Stopped(Exception):  # noqa: N818
    """The process was told to stop, and what it had done is kept. The message says how to go on."""
