//! Bugs that were mended, each kept as the shortest story that shows it.
