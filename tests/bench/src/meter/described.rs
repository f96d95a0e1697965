//! What the template says that costs or shapes costs.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use local::Layout;
use serde_yaml_ng::Value;

/// The template, read.
pub struct Template {
    resources: BTreeMap<String, Resource>,
    conditions_off: Vec<String>,
}

struct Resource {
    kind: String,
    condition: Option<String>,
    body: Value,
}

impl Template {
    /// Of this clone. `off` are conditions that its default parameters do not meet.
    pub fn read(layout: &Layout, off: &[&str]) -> anyhow::Result<Self> {
        let whole: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(layout.template())?)?;
        let resources = whole["Resources"].as_mapping().context("no resources")?;
        let resources = resources.iter().map(|(name, body)| {
            let name = name.as_str().context("a resource without a name")?;
            let text = |field: &str| body[field].as_str().map(str::to_owned);
            let kind = text("Type").context("a resource without a type")?;
            Ok((
                name.to_owned(),
                Resource { kind, condition: text("Condition"), body: body.clone() },
            ))
        });
        Ok(Self {
            resources: resources.collect::<anyhow::Result<_>>()?,
            conditions_off: off.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    /// How many resources of a type a stack with default parameters has.
    pub fn count(&self, kind: &str) -> usize {
        let there = |resource: &&Resource| {
            let off = resource.condition.as_ref();
            resource.kind == kind && off.is_none_or(|name| !self.conditions_off.contains(name))
        };
        self.resources.values().filter(there).count()
    }

    /// The queues that functions are fed from: function, event, messages in a batch.
    pub fn sources(&self) -> Vec<(String, String, usize)> {
        let mut all = Vec::new();
        for (name, resource) in &self.resources {
            let events = resource.body["Properties"]["Events"].as_mapping();
            for (event, body) in events.into_iter().flatten() {
                let batch = body["Properties"]["BatchSize"].as_u64();
                if let (Some("SQS"), Some(event)) = (body["Type"].as_str(), event.as_str()) {
                    let batch = batch.and_then(|batch| usize::try_from(batch).ok()).unwrap_or(10);
                    all.push((name.clone(), event.to_owned(), batch));
                }
            }
        }
        all
    }

    /// Messages in a batch of one of them.
    pub fn batch(&self, event: &str) -> anyhow::Result<usize> {
        let found = self.sources().into_iter().find(|(_, name, _)| name == event);
        Ok(found.ok_or_else(|| anyhow!("the template has no event {event}"))?.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_there_is() {
        let template = Template::read(&Layout::of_this_clone(), &["IsLocal"]).expect("readable");
        assert_eq!(template.count("AWS::KMS::Key"), 1);
        assert_eq!(template.sources().len(), 3);
        assert_eq!(template.batch("LaterAttempts").expect("there"), 50);
    }
}
