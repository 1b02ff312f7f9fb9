"""Other servers and gateways, started and measured the same way as ours."""
