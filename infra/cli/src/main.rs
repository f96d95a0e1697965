//! `webhooks`: send and check events, register endpoints, read deliveries, run the demo.
//!
//! Against the local stack that `cargo local` described in `.local/stack.json`, or against one on
//! AWS, `--stack NAME`. Exit codes: 0 fine; 1 the answer is no (an event was refused, nothing was
//! found); 2 wrong usage; 3 it could not be done.

mod api;
mod audit;
mod check_url;
mod deliveries;
mod demo;
mod doctor;
mod endpoints;
mod events;
#[cfg(test)]
mod help;
mod jobs;
mod keys;
mod redrive;
mod rejected;
mod report;
mod stack;
mod when;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cli::{bar, output};
use domain::endpoint::register::FieldError;
use stack::Target;

/// Rackwave webhook delivery: the local stack, and the ops commands on it or on a stack on AWS.
#[derive(Parser)]
#[command(name = "webhooks", version, after_help = EXAMPLES)]
struct Cli {
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    on: Target,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  webhooks send                              one sample event to the demo account
  webhooks send --count 100 --rate 20        a hundred, twenty a second
  webhooks send --file events.json           your own: an object, an array, or JSON lines
  webhooks validate events.json              would they be taken, and why not
  webhooks endpoints create --account acct_42 --url https://hooks.example.com/in \\
      --event-types 'email.*' --alert-email ops@example.com
  webhooks deliveries list ep_…              what an endpoint got, newest first
  webhooks deliveries show dlv_…             one delivery with every attempt
  webhooks deliveries tail                   attempts as they happen
  webhooks deliveries retry dlv_…            once more, now
  webhooks recover ep_… --from 2h            what an endpoint did not get, again
  webhooks cancel ep_… --from 30m            end what still waits for it
  webhooks report --account acct_42 --from 24h
  webhooks why evt_…                         what became of an event
  webhooks check-url https://hooks.example.com/in --answer 10.0.0.1
  webhooks audit                             is every event delivered or about to be
  webhooks doctor                            how is the stack, and where to look
  webhooks redrive --yes                     put dead letters back to work
  webhooks doctor --stack rackwave-webhooks --profile ops
                                             any of these, on a stack on AWS

Exit codes: 0 fine, 1 the answer is no (an event or a field was refused, nothing was found),
2 wrong usage, 3 it could not be done.";

#[derive(Subcommand)]
enum Command {
    /// Put events on the queue, as a product does.
    Send(events::Send),
    /// Check events without sending them.
    Validate(events::Validate),
    /// Register, look up and test endpoints; links to the page.
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Read the delivery log, and send a delivery again.
    #[command(subcommand)]
    Deliveries(deliveries::Deliveries),
    Recover(jobs::Recover),
    Cancel(jobs::Cancel),
    /// Look at a recovery or cancellation, or stop it.
    #[command(subcommand)]
    Recoveries(jobs::Recoveries),
    Report(report::Report),
    /// What became of an event, in one sentence.
    Why(why::Why),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Would the sender call a URL, and why not. Needs no stack.
    CheckUrl(check_url::CheckUrl),
    /// Is every event delivered or about to be; exit code 1 if anything is unexplained.
    Audit(audit::Audit),
    /// How the stack is, with a verdict; exit code 1 if something needs somebody.
    Doctor(doctor::Doctor),
    /// Look at refused events, and send them again.
    #[command(subcommand)]
    Rejected(rejected::Rejected),
    /// Move what lies in the dead-letter queues back to work.
    Redrive(redrive::Redrive),
    /// The demo receiver of the local stack.
    #[command(subcommand)]
    Demo(demo::Demo),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { json, on, command } = Cli::parse();
    let done = match command {
        Command::Send(send) => send.run(&on, json).await,
        Command::Validate(validate) => validate.run(json),
        Command::Endpoints(endpoints) => endpoints.run(&on, json).await,
        Command::Deliveries(deliveries) => deliveries.run(&on, json).await,
        Command::Recover(recover) => recover.run(&on, json).await,
        Command::Cancel(cancel) => cancel.run(&on, json).await,
        Command::Recoveries(recoveries) => recoveries.run(&on, json).await,
        Command::Report(report) => report.run(&on, json).await,
        Command::Why(why) => why.run(&on, json).await,
        Command::Keys(keys) => keys.run(&on, json).await,
        Command::CheckUrl(check) => check.run(json),
        Command::Audit(audit) => audit.run(&on, json).await,
        Command::Doctor(doctor) => doctor.run(&on, json).await,
        Command::Rejected(rejected) => rejected.run(&on, json).await,
        Command::Redrive(redrive) => redrive.run(&on, json).await,
        Command::Demo(demo) => demo.run(&on, json).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            output::complain!("webhooks: {error:#}");
            // What is against a rule is an answer; anything else stood in the way of one.
            let is_answer = error.is::<FieldError>() || error.is::<api::Refusal>();
            ExitCode::from(if is_answer { 1 } else { 3 })
        }
    }
}
