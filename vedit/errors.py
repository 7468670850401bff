"""Errors that reach a user. Each says the value, what is allowed, and the remedy, in one line.

The command line maps them to exit codes: `InputError` and its kind to 2, every other `VeditError` to 1.
"""


class VeditError(Exception):
    """A render failed for a reason that one line can tell.

    Args:
        message: what was wrong, with the value.
        remedy: what to do about it; printed behind the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message}; {remedy}" if remedy else message)

    def __reduce__(self) -> tuple[object, ...]:
        """The same error in another process, whatever its kind is made of."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[VeditError], args: tuple[object, ...], told: dict[str, object]) -> VeditError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(told)
    return error


class InputError(VeditError):
    """The input or the way it was asked for is at fault: exit code 2."""

    exit_code = 2


class SettingError(InputError, ValueError):
    """A setting has a value that it cannot have; a ValueError too, as Python callers expect of one."""


class ArgumentError(InputError, TypeError):
    """A call from Python has an argument too many or too few; a TypeError too, as Python callers expect of that."""


class OutOfRangeError(InputError, IndexError):
    """There is no frame or shot of that number; an IndexError too, as Python's loops and callers expect of one."""


FULL = "float32"
"""The number format in which nothing of a sound model overflows."""


class NotFiniteError(VeditError):
    """Numbers came out as NaN or infinite where frames are made of them: exit code 1, and nothing of it is written.

    Args:
        stage: what they are, in the plural, for instance "decoded frames".
        precision: the number format that they were computed in; with another than float32, it may be the cause.
        remedy: what to do about it.
    """

    def __init__(self, stage: str, *, precision: str = FULL, remedy: str = "") -> None:
        self.stage = stage
        self.precision = precision
        super().__init__(
            f"the {stage} are not finite (NaN or infinite, computed in {precision})",
            remedy=remedy or "nothing of this was written; use another model, or lower --guidance and control scales",
        )


class MediaError(InputError):
    """A file cannot be read as a video, or cannot be written as asked."""


class ModelError(InputError):
    """A model is unknown, absent, or not of a form that can be loaded safely."""


class MissingExtraError(InputError):
    """An optional dependency is absent.

    Args:
        package: the module that could not be imported.
        extra: the extra of vedit that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package} is not installed", remedy=f"run: pip install 'vedit[{extra}]'")


class ContractError(VeditError):
    """A written file breaks the timing or sound contract; the file does not get its final name."""


class DoesNotFitError(VeditError):
    """Memory ran out, and what would fit is not for this process to decide: exit code 4."""

    exit_code = 4


class Interrupted(VeditError):  # noqa: N818 - it is not a fault
    """The user stopped the render: exit code 130."""

    exit_code = 130
