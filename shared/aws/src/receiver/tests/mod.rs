//! Every way an endpoint can fail, with real sockets, real TLS and a real resolver on loopback.
//! Each server is a thread that is joined at the end, so that a connection that is left hanging
//! fails its test.

mod answers;
mod broken;
mod kit;
mod memory;
mod names;
mod refused;
mod tls;
