"""KMC in Pillow, and in imageio, matplotlib and `mimetypes`."""
