"""Training: the loop, and the jobs of the command line."""
