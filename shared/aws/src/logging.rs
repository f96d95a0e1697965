//! Logs: one JSON object a line on stdout, as Lambda wants it.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates whose lines `RUST_LOG` speaks about.
const OURS: [&str; 8] = ["aws::", "domain", "ingest", "sender", "sweeper", "daily", "api", "cli"];

/// Starts logging. `RUST_LOG` is one level, `info` if it is absent or no level.
///
/// It is a level and no filter expression on purpose: libraries are held at `warn` whatever it
/// says, because their finer lines show requests, and with them payloads and secrets.
pub fn init() {
    let level = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false) // each message is found in one place, and a log costs by the byte
        .with_current_span(false)
        .with_span_list(false)
        .with_filter(filter(level));
    // A second start in one process (tests) keeps the first one's settings.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_targets(OURS.map(|target| (target, level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_say_more_than_warnings() {
        let all = filter(LevelFilter::TRACE);
        for target in ["aws::dynamo", "sender::attempt", "ingest"] {
            assert!(all.would_enable(target, &Level::TRACE), "{target}");
        }
        for target in ["aws_smithy_runtime::client", "hyper_util", "lambda_runtime"] {
            assert!(!all.would_enable(target, &Level::INFO), "{target}");
            assert!(all.would_enable(target, &Level::WARN), "{target}");
        }
        let errors = filter(LevelFilter::ERROR);
        assert!(!errors.would_enable("hyper_util", &Level::WARN));
    }
}
