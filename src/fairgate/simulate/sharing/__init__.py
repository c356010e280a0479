"""What if: a trace replayed under several policies of sharing compute, with abusers among those who ask."""
