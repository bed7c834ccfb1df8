"""What differs between two tables: columns, rows, values. Knows no projects, stores or versions."""
