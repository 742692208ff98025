"""Where replicates are trained: in this process, or by Ray on this machine or a cluster."""
