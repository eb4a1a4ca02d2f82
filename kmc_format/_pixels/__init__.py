"""Pictures of every sort as arrays of pixels: their kinds, and their colours, counted."""
