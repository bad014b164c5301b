"""Rule books as TOML files and the code that proves and loads them."""
