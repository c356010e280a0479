"""From a decision to what happens: the ledger of actions, and what an account may do now."""
