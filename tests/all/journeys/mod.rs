//! Journeys over the real template: real functions, real queues, real HTTP.

mod again;
mod alarms;
mod api;
mod audit;
mod by_name;
mod cli;
mod events;
mod failures;
mod formats;
mod fuzz;
mod health;
mod leaks;
mod log;
mod receivers;
mod runbook;
mod schedule;
mod supervised;
mod test_events;

use domain::envelope::{derive_event_id, parse_body};
use domain::ids::EventId;

/// A sample event of an account.
pub fn event(id: &str, account: &str, data: &str) -> String {
    format!(
        r#"{{"id":"{id}","account_id":"{account}","event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{data}}}"#
    )
}

/// The id that an event body gets.
pub fn event_id(body: &str) -> EventId {
    derive_event_id(parse_body(body).remove(0).verdict.as_ref().expect("a good event"))
}
