"""The lines of this program in a traceback, which a log may contain."""

from traceback import extract_tb


def lines_of_ours(error: BaseException) -> list[str]:
    """Return each line of this program in a traceback, as `file:line`, the cause last."""
    ours = [frame for frame in extract_tb(error.__traceback__) if "/screening/" in frame.filename]
    return [f"{frame.filename.rpartition('/screening/')[2]}:{frame.lineno}" for frame in ours]
