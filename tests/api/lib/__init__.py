"""What the scenarios share: a vault to start, agents to speak with it, people to decide."""
