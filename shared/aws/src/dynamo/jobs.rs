//! Recoveries and cancellations: the port.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::Timestamp;
use domain::ids::JobId;
use domain::job::{Job, JobState};
use domain::limits::DECISIONS;
use domain::ports::{Begun, JobEntry, Jobs, PortError, PortResult};

use super::item::{Item, Reader, Unreadable, text};
use super::job_item::{UNFINISHED, from_item, key, latest_item, latest_key, latest_of, to_item};
use super::request::{Place, Read};
use super::{Store, Table};
use crate::error::port_error;

impl Jobs for Store {
    async fn begin(&self, job: &Job) -> PortResult<Begun> {
        let place = at("jobs.begin");
        for _ in 0..DECISIONS {
            let latest = self.read(place, latest_key(&job.endpoint_id), Read::Consistent).await?;
            let latest = latest.map(|item| latest_of(&item));
            let latest = latest.transpose().map_err(|e| place.unreadable(e))?;
            if let Some(id) = &latest {
                let running = self.job(id).await?.is_some_and(|j| j.state == JobState::Running);
                if running && *id != job.id {
                    return Ok(Begun::Running(id.clone()));
                }
                if running {
                    return Ok(Begun::New); // an earlier try of this call worked
                }
            }
            if self.put_as_latest(place, job, latest.as_ref()).await? {
                return Ok(Begun::New);
            }
        }
        Err(PortError::new(place.call, "lost the race again and again"))
    }

    async fn job(&self, id: &JobId) -> PortResult<Option<Job>> {
        let place = at("jobs.job");
        let item = self.read(place, key(id), Read::Consistent).await?;
        item.as_ref().map(from_item).transpose().map_err(|e| place.unreadable(e))
    }

    async fn save(&self, was: &Job, now: &Job) -> PortResult<bool> {
        let place = at("jobs.save");
        let next = Job { revision: was.revision.saturating_add(1), ..now.clone() };
        self.put_over(place, to_item(&next), Some(was.revision)).await
    }

    async fn unfinished(&self, until: Timestamp, limit: usize) -> PortResult<Vec<JobEntry>> {
        let place = at("jobs.unfinished");
        let limit = i32::try_from(limit.max(1)).unwrap_or(i32::MAX);
        let query = |request: QueryFluentBuilder| {
            request
                .index_name(UNFINISHED)
                .key_condition_expression("#unfinished = :unfinished AND #wakes_at <= :until")
                .expression_attribute_names("#unfinished", UNFINISHED)
                .expression_attribute_names("#wakes_at", "wakes_at")
                .expression_attribute_values(":unfinished", text(UNFINISHED))
                .expression_attribute_values(":until", text(until))
                .limit(limit)
        };
        let (items, _) = self.page(place, query).await?;
        let entries: Result<_, _> = items.iter().map(entry).collect();
        entries.map_err(|e| place.unreadable(e))
    }
}

impl Store {
    /// Puts a job together with the note that it is its endpoint's latest, if `before` still is.
    async fn put_as_latest(
        &self,
        place: Place,
        job: &Job,
        before: Option<&JobId>,
    ) -> PortResult<bool> {
        let table = self.tables.name(place.table, place.call)?;
        let job_put = Put::builder()
            .table_name(table)
            .set_item(Some(to_item(job)))
            .condition_expression("attribute_not_exists(job_id)");
        let latest = Put::builder().table_name(table).set_item(Some(latest_item(job)));
        let latest = match before {
            None => latest.condition_expression("attribute_not_exists(job_id)"),
            Some(id) => latest
                .condition_expression("#latest = :before")
                .expression_attribute_names("#latest", "latest")
                .expression_attribute_values(":before", text(id)),
        };
        let mut request = self.client.transact_write_items();
        for put in [job_put, latest] {
            let put = put.build().map_err(|e| PortError::new(place.call, e))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(refused))
                    if refused.cancellation_reasons().iter().any(is_condition) =>
                {
                    Ok(false)
                }
                Some(_) | None => Err(port_error(place.call, &error)),
            },
        }
    }
}

fn is_condition(reason: &aws_sdk_dynamodb::types::CancellationReason) -> bool {
    matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))
}

fn at(call: &'static str) -> Place {
    Place { call, table: Table::Jobs }
}

fn entry(item: &Item) -> Result<JobEntry, Unreadable> {
    let item = Reader(item);
    Ok(JobEntry { id: item.parsed("job_id")?, wakes_at: item.moment("wakes_at")? })
}
