"""The command line `redisai-rs`."""
