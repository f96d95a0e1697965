//! What a program shows on a terminal: the parts of `webhooks` that others show things with, too.

pub mod bar;
pub mod output;
