"""The files by which desktops and `file` know KMC: `kmc_format.integrate` puts them in place."""
