"""The functions of the package, by what they do: `reading` and `writing`."""
