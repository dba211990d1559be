"""The command ``gpucomp``: its verbs are in ``main``, and each loads what it needs when it runs."""
