//! What `template.yaml` says about the functions: their settings, and how many of each may run.
//! Read from the file itself, so that what is measured is what is deployed.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, anyhow};
use local::Layout;
use serde_yaml_ng::Value;

/// The parsed template.
pub struct Template(Value);

/// How a queue is read.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The most messages in one invocation.
    pub batch_size: usize,
    /// How long a batch is gathered for, in seconds.
    pub window_s: u64,
    /// The most invocations at once.
    pub concurrency: usize,
}

impl Template {
    /// Reads the clone's template.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(layout: &Layout) -> anyhow::Result<Self> {
        let text = fs::read_to_string(layout.template()).context("template.yaml")?;
        Ok(Self(serde_yaml_ng::from_str(&text).context("template.yaml")?))
    }

    /// A function's variables as on the local stack, where the cloud is at `url`. Resources are
    /// known by their logical names.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn variables(&self, function: &str, url: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let own = &self.function(function)?["Environment"]["Variables"];
        let shared = &self.0["Globals"]["Function"]["Environment"]["Variables"];
        let mut variables = BTreeMap::new();
        for (name, value) in [shared, own].into_iter().filter_map(Value::as_mapping).flatten() {
            let name = name.as_str().context("a variable's name")?;
            variables.insert(name.to_owned(), self.text(value, url));
        }
        Ok(variables)
    }

    /// How a function reads a queue.
    ///
    /// # Errors
    /// If it does not.
    pub fn source(&self, function: &str, queue: &str) -> anyhow::Result<Source> {
        let events = self.function(function)?["Events"].as_mapping().context("events")?;
        let reads = |event: &&Value| {
            let arn = tagged(&event["Properties"]["Queue"], "GetAtt");
            arn.and_then(Value::as_str) == Some(&format!("{queue}.Arn"))
        };
        let found = events.values().find(reads);
        let found = found.ok_or_else(|| anyhow!("{function} does not read {queue}"))?;
        let number = |value: &Value| value.as_u64();
        let size = |value: &Value| number(value).and_then(|number| usize::try_from(number).ok());
        let properties = &found["Properties"];
        Ok(Source {
            batch_size: size(&properties["BatchSize"]).context("BatchSize")?,
            window_s: number(&properties["MaximumBatchingWindowInSeconds"]).unwrap_or(0),
            concurrency: size(&properties["ScalingConfig"]["MaximumConcurrency"])
                .context("MaximumConcurrency")?,
        })
    }

    /// How long an invocation of a function may take, in seconds.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn timeout_s(&self, function: &str) -> anyhow::Result<u64> {
        self.function(function)?["Timeout"].as_u64().context("Timeout")
    }

    /// A function's memory in MB.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn memory_mb(&self, function: &str) -> anyhow::Result<u64> {
        self.function(function)?["MemorySize"].as_u64().context("MemorySize")
    }

    /// The names of a table's key, partition first.
    pub fn table_keys(&self) -> BTreeMap<String, Vec<String>> {
        let resources = self.0["Resources"].as_mapping().into_iter().flatten();
        let key = |resource: &Value| {
            let schema = resource["Properties"]["KeySchema"].as_sequence()?;
            let names = schema.iter().filter_map(|part| part["AttributeName"].as_str());
            Some(names.map(str::to_owned).collect())
        };
        let table =
            |(name, resource): (&Value, &Value)| Some((name.as_str()?.to_owned(), key(resource)?));
        resources.filter_map(table).collect()
    }

    /// How many resources of a type a stack has under whose parameters these conditions do not
    /// hold.
    pub fn count(&self, kind: &str, off: &[&str]) -> usize {
        let there = |resource: &&Value| {
            let condition = resource["Condition"].as_str();
            resource["Type"].as_str() == Some(kind) && condition.is_none_or(|c| !off.contains(&c))
        };
        let resources = self.0["Resources"].as_mapping().into_iter();
        resources.flat_map(serde_yaml_ng::Mapping::values).filter(there).count()
    }

    fn function(&self, name: &str) -> anyhow::Result<&Value> {
        let mut letters = name.chars();
        let first = letters.next().unwrap_or_default().to_ascii_uppercase();
        let resource =
            &self.0["Resources"][format!("{first}{}Function", letters.as_str()).as_str()];
        resource.get("Properties").ok_or_else(|| anyhow!("the template has no function {name}"))
    }

    /// A value as the local stack resolves it. Conditions are answered with their `else`.
    fn text(&self, value: &Value, url: &str) -> String {
        if let Some(name) = tagged(value, "Ref").and_then(Value::as_str) {
            return self.reference(name, url);
        }
        if let Some(place) = tagged(value, "GetAtt").and_then(Value::as_str) {
            return match place.split_once('.') {
                Some((name, "FunctionUrl")) => format!("{url}/{name}/"),
                Some((name, _)) => format!("arn:aws:bench:us-east-1:000000000000:{name}"),
                None => place.to_owned(),
            };
        }
        if let Some(choice) = tagged(value, "If").and_then(Value::as_sequence) {
            return choice.get(2).map(|value| self.text(value, url)).unwrap_or_default();
        }
        match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Tagged(other) => self.text(&other.value, url),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => String::new(),
        }
    }

    fn reference(&self, name: &str, url: &str) -> String {
        match name {
            "Stage" => return "local".to_owned(),
            "AllowInsecureTargets" => return "true".to_owned(),
            _ => {}
        }
        let parameter = &self.0["Parameters"][name];
        if !parameter.is_null() {
            return self.text(&parameter["Default"], url);
        }
        match self.0["Resources"][name]["Type"].as_str() {
            Some("AWS::SQS::Queue") => format!("{url}/000000000000/{name}"),
            Some(_) | None => name.to_owned(),
        }
    }
}

/// The value under a tag such as `!Ref`.
fn tagged<'v>(value: &'v Value, tag: &str) -> Option<&'v Value> {
    let Value::Tagged(tagged) = value else { return None };
    (tagged.tag == tag).then_some(&tagged.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_template_says_how_functions_are_set_up() {
        let template = Template::read(&Layout::of_this_clone()).expect("the template");
        let url = "http://127.0.0.1:1";
        let sender = template.variables("sender", url).expect("a function");
        for (name, value) in [
            ("STAGE", "local"),
            ("ALLOW_INSECURE_TARGETS", "true"),
            ("REQUEST_TIMEOUT_SECONDS", "30"),
            ("EVENTS_TABLE", "EventsTable"),
            ("SEND_QUEUE_URL", "http://127.0.0.1:1/000000000000/SendQueue"),
        ] {
            assert_eq!(sender.get(name).map(String::as_str), Some(value), "{name}");
        }
        let (send, retry) =
            (template.source("sender", "SendQueue"), template.source("sender", "RetryQueue"));
        let (send, retry) = (send.expect("read"), retry.expect("read"));
        assert!(send.window_s == 0 && retry.window_s == 1 && send.batch_size < retry.batch_size);
        assert!(template.source("ingest", "SendQueue").is_err());
        assert_eq!(template.count("AWS::KMS::Key", &[]), 1);
        assert_eq!(
            template.count("AWS::SQS::QueuePolicy", &["IsOnAws", "EventsQueueHasPolicy"]),
            0
        );
        assert_eq!(template.table_keys()["DeliveriesTable"], ["partition", "delivery_id"]);
    }
}
