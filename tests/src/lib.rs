//! What the tests stand on.
//!
//! | module | is |
//! |---|---|
//! | [`world`] | every port in memory, with a clock that jumps and a fuse that kills |

pub mod world;
