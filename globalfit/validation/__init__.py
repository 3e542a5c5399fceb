"""Published numbers beside ours: what is reproduced, what is not, and why."""
