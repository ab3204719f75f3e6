"""One file for each balancer that a crew can run."""
