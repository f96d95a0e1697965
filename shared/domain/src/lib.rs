//! The rules of webhook delivery, in sans-IO form.
//!
//! Nothing in here ever reads a clock, throws dice, looks at the environment or talks to a
//! network: time and randomness are arguments, and what the outside must do is told through the
//! traits in [`ports`]. The map:
//!
//! | module | says |
//! |---|---|
//! | [`envelope`] | what a product may put on the queue, and how a refusal is worded |
//! | [`event`] | an accepted event and the fan-out decided when it was accepted |
//! | [`erasure`] | what becomes of deliveries whose payload is to be erased |
//! | [`endpoint`] | who gets which event |
//! | [`delivery`] | one event on its way to one endpoint, and its attempts |
//! | [`attempt`] | what a wake-up means, and what an attempt changes |
//! | [`retry`] | what a retry that somebody asked for changes |
//! | [`job`] | recover and cancel: many deliveries, a page at a time |
//! | [`sweep`] | what an overdue delivery needs |
//! | [`health`] | since when an endpoint is failing, and what follows |
//! | [`health`] | since when an endpoint is failing, and what follows from it |
//! | [`schedule`] | when the next attempt is |
//! | [`arrange`] | how a wake-up for that moment is made |
//! | [`pace`] | how an endpoint's rate is kept |
//! | [`care`] | looking after endpoints in trouble |
//! | [`tell`] | how what happened to an endpoint is told, once |
//! | [`mail`] | what its owner reads |
//! | [`announce`] | what is told on the bus, and that it is never forgotten |
//! | [`api_key`] | what an API key looks like, and what it opens |
//! | [`portal`] | links to the page for one account |
//! | [`log`] | the delivery log: pages, newest first |
//! | [`catalogue`] | the published events |
//! | [`view`] | things as the API and the CLI show them |
//! | [`webhook`] | the request an endpoint receives |
//! | [`test_event`] | an event that is sent to try an endpoint, and not stored |
//! | [`target`] | what may be called |
//! | [`address`] | which addresses are public |
//! | [`failure`] | how a request can fail, in classes and in words |
//! | [`retry_after`] | when an endpoint asks to be called again |

pub mod address;
pub mod announce;
pub mod api_key;
pub mod arrange;
pub mod attempt;
pub mod audit;
pub mod care;
pub mod catalogue;
pub mod delivery;
pub mod endpoint;
pub mod envelope;
pub mod erasure;
pub mod event;
pub mod failure;
pub mod health;
pub mod ids;
pub mod job;
pub mod limits;
pub mod log;
pub mod mail;
pub mod metric;
pub mod pace;
pub mod portal;
pub mod ports;
pub mod retry;
pub mod retry_after;
pub mod schedule;
pub mod secret;
pub mod settings;
pub mod spread;
pub mod sweep;
pub mod target;
pub mod tell;
pub mod test_event;
pub mod timestamp;
pub mod view;
pub mod wakeup;
pub mod webhook;

pub use timestamp::Timestamp;
