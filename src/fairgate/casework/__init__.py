"""What people do with decisions: which case is looked at next and by whom, and how far their judgement is trusted."""
