"""The words of Fairgate as plain, frozen data. Imports nothing of the rest."""
