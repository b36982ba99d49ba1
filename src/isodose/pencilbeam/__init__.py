"""The pencil-beam engine: rays, fluence superposition and its adjoint, influence matrices."""
