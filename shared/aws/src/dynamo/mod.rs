//! The store: seven DynamoDB tables (design 4.4), and the ports of `domain` that they serve.
//!
//! | module | is |
//! |---|---|
//! | `deliveries` | delivery records: the port |
//! | `delivery_item` | a delivery and its item |
//! | `change` | what a commit writes |
//! | `listing` | the delivery log: the port |
//! | `events` | accepted events: the port, and an event and its item |
//! | `endpoints` | endpoints and their secrets: the ports |
//! | `endpoint_item` | an endpoint and its item |
//! | `health` | endpoint health: the port, and health on an endpoint's item |
//! | `pace` | how fast endpoints are called: the port |
//! | `registry` | endpoints as people register and change them: the port |
//! | `api_keys` | API keys |
//! | `api_state` | what the API remembers: the port |
//! | `audits` | audits and what they read: the port, and an audit and its item |
//! | `jobs` | recoveries and cancellations: the port |
//! | `job_item` | a job and its item |
//! | `request` | the few kinds of request that all of them make |
//! | `item` | reading and writing attributes |
//! | `size` | how DynamoDB counts an item |

mod api_keys;
mod api_state;
mod audits;
mod change;
mod deliveries;
mod delivery_item;
mod endpoint_item;
mod endpoints;
mod events;
mod health;
mod item;
mod job_item;
mod jobs;
#[cfg(test)]
mod kept;
mod listing;
mod pace;
mod registry;
mod request;
mod size;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use domain::ports::{PortError, PortResult};
use domain::settings::{Lookup, SettingResult};

/// A table of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Registered endpoints.
    Endpoints,
    /// Their secrets.
    EndpointSecrets,
    /// Accepted events.
    Events,
    /// Delivery records.
    Deliveries,
    /// API keys.
    ApiKeys,
    /// Call counts and idempotency keys.
    ApiState,
    /// Recoveries and cancellations.
    Jobs,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 7] = [
        Table::Endpoints,
        Table::EndpointSecrets,
        Table::Events,
        Table::Deliveries,
        Table::ApiKeys,
        Table::ApiState,
        Table::Jobs,
    ];

    /// The stack's output with its name.
    pub fn output(self) -> &'static str {
        match self {
            Table::Endpoints => "EndpointsTable",
            Table::EndpointSecrets => "EndpointSecretsTable",
            Table::Events => "EventsTable",
            Table::Deliveries => "DeliveriesTable",
            Table::ApiKeys => "ApiKeysTable",
            Table::ApiState => "ApiStateTable",
            Table::Jobs => "JobsTable",
        }
    }

    /// The environment variable with its name.
    pub fn variable(self) -> &'static str {
        match self {
            Table::Endpoints => "ENDPOINTS_TABLE",
            Table::EndpointSecrets => "ENDPOINT_SECRETS_TABLE",
            Table::Events => "EVENTS_TABLE",
            Table::Deliveries => "DELIVERIES_TABLE",
            Table::ApiKeys => "API_KEYS_TABLE",
            Table::ApiState => "API_STATE_TABLE",
            Table::Jobs => "JOBS_TABLE",
        }
    }

    fn partition_key(self) -> &'static str {
        match self {
            Table::Endpoints => "account_id",
            Table::EndpointSecrets => "endpoint_id",
            Table::Events => "event_id",
            Table::Deliveries => "partition",
            Table::ApiKeys => "key_id",
            Table::ApiState => "name",
            Table::Jobs => "job_id",
        }
    }
}

/// The names of the tables that a program uses.
#[derive(Debug, Clone, Default)]
pub struct Tables([Option<String>; Table::ALL.len()]);

impl Tables {
    /// Those given; the others cannot be used.
    pub fn new(names: impl IntoIterator<Item = (Table, String)>) -> Self {
        let mut all = Self::default();
        for (table, name) in names {
            all.0[table as usize] = Some(name);
        }
        all
    }

    /// All tables of a stack, from its outputs.
    ///
    /// # Errors
    /// The first that `output` gives.
    pub fn from_outputs<E>(output: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        let named = Table::ALL.into_iter().map(|table| Ok((table, output(table.output())?)));
        Ok(Self::new(named.collect::<Result<Vec<_>, E>>()?))
    }

    /// Those a function needs, from its settings.
    ///
    /// # Errors
    /// If one of them is not set.
    pub fn from_settings(settings: &Lookup<'_>, tables: &[Table]) -> SettingResult<Self> {
        let read = |table: &Table| Ok((*table, settings.text(table.variable())?));
        let names: Vec<_> = tables.iter().map(read).collect::<SettingResult<_>>()?;
        Ok(Self::new(names))
    }

    fn name(&self, table: Table, call: &'static str) -> PortResult<&str> {
        let name = self.0[table as usize].as_deref();
        name.ok_or_else(|| PortError::new(call, format!("{} is not known here", table.variable())))
    }
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    tables: Tables,
    retention: Duration,
}

impl Store {
    /// With the given configuration. `retention` is how long new events and deliveries stay; a
    /// program that makes none may pass anything. Using a table that is not in `tables` is an
    /// error.
    pub fn new(config: &SdkConfig, tables: Tables, retention: Duration) -> Self {
        Self { client: Client::new(config), tables, retention }
    }
}
