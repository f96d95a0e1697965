//! Alarms as they are deployed, and what they would say of what the stack tells.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use domain::Timestamp;
use domain::ports::Clock as _;
use local::Layout;
use serde_json::Value;

use super::{Stack, emulator, python};

const A_MINUTE: Duration = Duration::from_secs(60);

/// What CloudWatch would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// In order.
    Ok,
    /// It goes off.
    Alarm,
    /// There is nothing to judge by: it stays as it is.
    Unchanged,
}

/// An alarm, with CloudWatch's names for its parts.
#[derive(Debug, Clone)]
pub struct Alarm(Value);

/// A figure and when it was told.
pub type Told = (Timestamp, f64);

impl Stack {
    /// Its alarms by their names in the template.
    pub fn alarms(&self) -> BTreeMap<String, Alarm> {
        let output = Command::new(python().python())
            .current_dir(Layout::of_this_clone().root())
            .args(["tests/template/deployed.py", emulator().endpoint_url(), &self.outputs.name])
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let alarms: BTreeMap<String, Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
        alarms.into_iter().map(|(name, alarm)| (name, Alarm(alarm))).collect()
    }

    /// What a function told of the figure that an alarm looks at: CloudWatch reads it from the
    /// function's log.
    pub fn told(&self, alarm: &Alarm) -> Vec<Told> {
        let (dimension, function) = alarm.dimension();
        let (space, metric) = (alarm.text("Namespace"), alarm.text("MetricName"));
        let log = emulator().function_log(function);
        let figure = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let fits = directive["Namespace"] == space
                && directive["Dimensions"][0][0] == dimension
                && line[dimension] == function
                && directive["Metrics"].as_array()?.iter().any(|each| each["Name"] == metric);
            let at = Timestamp::from_millis(line["_aws"]["Timestamp"].as_i64()?);
            fits.then_some((at, line[metric].as_f64()?))
        };
        log.lines().filter_map(figure).collect()
    }

    /// What AWS tells CloudWatch now of the figure that an alarm looks at: the emulator counts runs
    /// of functions, and `infra/local/figures.py` looks at its queues. Nothing if there is no such
    /// figure.
    pub async fn told_by_aws(&self, alarm: &Alarm) -> Vec<Told> {
        let (name, value) = alarm.dimension();
        let metric = Metric::builder()
            .namespace(alarm.text("Namespace"))
            .metric_name(alarm.text("MetricName"))
            .dimensions(Dimension::builder().name(name).value(value).build())
            .build();
        let stat = MetricStat::builder().metric(metric).period(60).stat(alarm.text("Statistic"));
        let query = MetricDataQuery::builder().id("figure").metric_stat(stat.build()).build();
        let now = aws::clock::SystemClock.now();
        let time = |at: Timestamp| DateTime::from_millis(at.as_millis());
        let asked = aws_sdk_cloudwatch::Client::new(&self.config)
            .get_metric_data()
            .metric_data_queries(query)
            .start_time(time(now - A_MINUTE - A_MINUTE))
            .end_time(time(now + A_MINUTE));
        let answer = asked.send().await.expect("figures");
        let results = answer.metric_data_results().iter();
        results.flat_map(|result| result.values()).map(|value| (now, *value)).collect()
    }
}

impl Alarm {
    /// One of its texts.
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// One of its numbers.
    pub fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    fn dimension(&self) -> (&str, &str) {
        let dimension = &self.0["Dimensions"][0];
        let text = |name: &str| dimension[name].as_str().expect("a text");
        (text("Name"), text("Value"))
    }

    /// What it says once the last of what was told has come again in each of so many spans in all,
    /// more by `more` each time: an hour of trouble in a moment.
    pub fn verdict_after(&self, told: &[Told], spans: u64, more: f64) -> Verdict {
        let (at, value) = *told.last().expect("something was told");
        let span = Duration::from_secs_f64(self.number("Period"));
        let (mut going_on, mut now, mut value) = (Vec::new(), at, value);
        for nth in 0..spans {
            if nth > 0 {
                (now, value) = (now + span, value + more);
            }
            going_on.push((now, value));
        }
        self.verdict(&going_on, now)
    }

    /// What it says at a moment, of what was told until then.
    pub fn verdict(&self, told: &[Told], now: Timestamp) -> Verdict {
        let whole = |name: &str| self.0[name].as_i64();
        let (period_ms, periods) =
            (whole("Period").expect("s") * 1_000, whole("EvaluationPeriods").expect("n"));
        let needed = whole("DatapointsToAlarm").unwrap_or(periods);
        let end = (now.as_millis() / period_ms + 1) * period_ms;
        let points: Vec<Option<f64>> = (0..periods)
            .map(|nth| {
                let last = end - nth * period_ms;
                let within = |at: Timestamp| (last - period_ms..last).contains(&at.as_millis());
                self.statistic(told.iter().filter(|(at, _)| within(*at)).map(|(_, value)| *value))
            })
            .collect();
        let missing = self.text("TreatMissingData");
        if points.iter().all(Option::is_none) && matches!(missing, "ignore" | "missing" | "") {
            return Verdict::Unchanged;
        }
        let breaches = |point: &&Option<f64>| match point {
            Some(value) => self.is_breached_by(*value),
            None => missing == "breaching",
        };
        let breaching = points.iter().filter(breaches).count();
        if i64::try_from(breaching).unwrap_or(i64::MAX) >= needed {
            Verdict::Alarm
        } else {
            Verdict::Ok
        }
    }

    fn statistic(&self, values: impl Iterator<Item = f64>) -> Option<f64> {
        match self.text("Statistic") {
            "Maximum" => values.reduce(f64::max),
            "Sum" => values.reduce(|sum, value| sum + value),
            other => panic!("no statistic {other}"),
        }
    }

    fn is_breached_by(&self, value: f64) -> bool {
        let threshold = self.number("Threshold");
        match self.text("ComparisonOperator") {
            "GreaterThanThreshold" => value > threshold,
            "LessThanThreshold" => value < threshold,
            other => panic!("no operator {other}"),
        }
    }
}
