"""The functions of the package, by what they do: `reading`, `writing`, and both for `frames`."""
