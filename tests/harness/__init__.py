"""What the tests share: a private PostgreSQL, running instances of Biwa, and ways to compare."""
