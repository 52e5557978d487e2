"""Find the lungs: a threshold, and then what is outside, what is airway, what is left and what is right."""
