//! All tests that need more than one crate, in one binary.

mod api;
mod audit;
mod conformance;
mod crashes;
mod daily;
mod health;
mod ingest;
mod journeys;
mod lanes;
mod leaks;
mod once_failed;
mod outage;
mod page;
mod sender;
mod simulator;
mod spread;
mod sweeper;
mod template;
mod upkeep;
