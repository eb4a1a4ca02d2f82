"""What can be wrong with a KMC file, as one small tree.

::

    ValueError
    └── KMCError              the file cannot be read
        ├── FormatError       it breaks a rule of FORMAT.md
        ├── TruncatedError    it ends before its image does
        ├── LimitError        it asks for more than a reader allows
        └── UnsupportedError  it is newer than this reader

Pillow's callers see the built-in exceptions they expect instead; see `plugin`.
"""

__all__ = ["FormatError", "KMCError", "LimitError", "TruncatedError", "UnsupportedError"]


class KMCError(ValueError):
    """A KMC file cannot be read.

    Parameters
    ----------
    rule : str
        Identifier of the broken rule, from the table "What a reader rejects" in FORMAT.md.
    message : str
        What was found, and at which byte offset.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(rule, message)
        self.rule = rule
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} (rule {self.rule})"


class FormatError(KMCError):
    """The file breaks a rule of the format: it is damaged or was made by a faulty writer."""


class TruncatedError(KMCError):
    """The file ends before its image does."""


class LimitError(KMCError):
    """The file asks for more than a reader allows."""


class UnsupportedError(KMCError):
    """The file uses something that this version of the package does not know."""
