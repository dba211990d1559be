"""``gpucomp bench suite``: families of operators beside other libraries, in one run and by one clock."""
