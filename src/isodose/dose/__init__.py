"""What engines compute: named quantities on one grid, and how engines are found."""
