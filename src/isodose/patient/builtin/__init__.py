"""The built-in procedural patients."""
