"""What a command cannot do, told to whoever typed it."""


class TrainError(Exception):
    """The input, the folder or the machine does not allow it. The message says what would."""


class Stopped(Exception):  # noqa: N818
    """The process was told to stop, and what it had done is kept. The message says how to go on."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, without the pages that some of them add."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
