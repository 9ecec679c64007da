"""What the registry does, one file an action; reading is in `rpc.py`."""
