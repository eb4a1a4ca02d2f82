"""The options of saving, each once: `options.SaveOptions`."""
