//! peapod's command line.

fn main() {}
