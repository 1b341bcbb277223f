"""What membership means: a pure function of events and the clock."""
