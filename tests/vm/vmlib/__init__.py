"""What the scenarios with real machines share."""
