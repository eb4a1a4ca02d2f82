"""Work on other processes and on clusters; arrays of Dask; files beyond this machine."""
