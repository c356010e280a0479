"""From signals to one decision: probability, least expected cost, floors, guard rails, draws."""
