//! Named pipes.
/// A pipe.
#[derive(Debug)]
pub struct Pipe;
