"""What changes what serves: policy files, releases, rollouts, breakers and the snapshots made of them."""
