//! What the tests stand on.
//!
//! | module | is |
//! |---|---|
//! | [`world`] | every port in memory, with a clock that jumps and a fuse that kills |
//! | [`stack`] | the real template on the emulator, and customers' endpoints on loopback |

pub mod stack;
pub mod world;
