//! What the tests stand on.
//!
//! | module | is |
//! |---|---|
//! | [`world`] | every port in memory, with a clock that jumps and a fuse that kills |
//! | [`conformance`] | what every implementation of the store must do |
//! | [`simulator`] | histories in which everything goes wrong, and a model that watches |
//! | [`browser`] | a headless Chromium, for the page |
//! | [`loopback`] | HTTP served on loopback |
//! | [`stack`] | the real template on the emulator, and customers' endpoints on loopback |

pub mod browser;
pub mod conformance;
pub mod loopback;
pub mod simulator;
pub mod stack;
pub mod world;
