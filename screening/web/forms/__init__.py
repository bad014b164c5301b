"""Forms. Each turns what was typed into domain values, or into errors beside the fields."""
