//! The few kinds of request that all tables are used with.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::ports::{PortError, PortResult};

use super::item::{Item, Unreadable, number};
use super::{Store, Table};
use crate::error::port_error;

/// What a request is about.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The port's call, for errors.
    pub call: &'static str,
    /// The table.
    pub table: Table,
}

impl Place {
    /// An item of this table that cannot be read.
    pub fn unreadable(self, problem: Unreadable) -> PortError {
        PortError::new(self.call, problem)
    }
}

/// How fresh a read must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Sees every write that was answered before.
    Consistent,
    /// May lag a moment; half the price.
    Eventual,
}

impl Store {
    /// One item by its key.
    pub(super) async fn read(
        &self,
        place: Place,
        key: Item,
        how: Read,
    ) -> PortResult<Option<Item>> {
        let request = self
            .client
            .get_item()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_key(Some(key))
            .consistent_read(how == Read::Consistent);
        match request.send().await {
            Ok(answer) => Ok(answer.item),
            Err(error) => Err(port_error(place.call, &error)),
        }
    }

    /// Puts an item unless there is one under its key, and answers that one.
    pub(super) async fn put_new(&self, place: Place, item: Item) -> PortResult<Option<Item>> {
        let request = self
            .client
            .put_item()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", place.table.partition_key())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match request.send().await {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error()
        else {
            return Err(port_error(place.call, &error));
        };
        let existing = refused.item().cloned();
        existing
            .map(Some)
            .ok_or_else(|| PortError::new(place.call, "the existing item was not shown"))
    }

    /// Puts an item that nobody else makes. One that is there already must be the same: then an
    /// earlier try worked.
    pub(super) async fn put_once(&self, place: Place, item: Item) -> PortResult<()> {
        match self.put_new(place, item.clone()).await? {
            Some(there) if there != item => Err(PortError::new(place.call, "the id is taken")),
            Some(_) | None => Ok(()),
        }
    }

    /// Puts an item in place of the one with this `revision`, or of none. False if another stands
    /// there.
    pub(super) async fn put_over(
        &self,
        place: Place,
        item: Item,
        revision: Option<impl Into<i128>>,
    ) -> PortResult<bool> {
        let request = self
            .client
            .put_item()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_item(Some(item));
        let request = match revision {
            None => request
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", place.table.partition_key()),
            Some(revision) => request
                .condition_expression("#revision = :was")
                .expression_attribute_names("#revision", "revision")
                .expression_attribute_values(":was", number(revision)),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                Some(_) | None => Err(port_error(place.call, &error)),
            },
        }
    }

    /// Updates one item under a condition. False if the condition did not hold.
    pub(super) async fn update(&self, place: Place, key: Item, update: Update) -> PortResult<bool> {
        Ok(self.update_and_read(place, key, update).await?.is_some())
    }

    /// Updates one item under a condition and answers what the updated attributes are now; `None`
    /// if the condition did not hold.
    pub(super) async fn update_and_read(
        &self,
        place: Place,
        key: Item,
        update: Update,
    ) -> PortResult<Option<Item>> {
        let expression = update.expression();
        let request = self
            .client
            .update_item()
            .table_name(self.tables.name(place.table, place.call)?)
            .set_key(Some(key))
            .update_expression(expression)
            .condition_expression(update.condition.join(" AND "))
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values).filter(|v| !v.is_empty()))
            .return_values(ReturnValue::UpdatedNew);
        match request.send().await {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                Some(_) | None => Err(port_error(place.call, &error)),
            },
        }
    }

    /// One page of a query, and the key after which the next begins.
    pub(super) async fn page(
        &self,
        place: Place,
        prepare: impl FnOnce(QueryFluentBuilder) -> QueryFluentBuilder,
    ) -> PortResult<(Vec<Item>, Option<Item>)> {
        let name = self.tables.name(place.table, place.call)?;
        let request = prepare(self.client.query().table_name(name));
        match request.send().await {
            Ok(page) => Ok((page.items.unwrap_or_default(), page.last_evaluated_key)),
            Err(error) => Err(port_error(place.call, &error)),
        }
    }
}

/// An update under a condition. Attributes are always written as placeholders, so that none can
/// be one of DynamoDB's reserved words.
#[derive(Debug, Default)]
pub(super) struct Update {
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    delete: Vec<String>,
    condition: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl Update {
    /// The placeholder of an attribute.
    pub fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    pub fn value(&mut self, label: &str, value: AttributeValue) -> String {
        let placeholder = format!(":{label}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Sets an attribute.
    pub fn set(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(attribute, value));
        self.set.push(format!("{name} = {value}"));
    }

    /// Sets what an expression says, made of [`Update::name`] and [`Update::value`].
    pub fn set_expression(&mut self, expression: String) {
        self.set.push(expression);
    }

    /// Sets an attribute, or removes it if there is no value.
    pub fn set_or_remove(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove(attribute),
        }
    }

    /// Removes an attribute.
    pub fn remove(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.remove.push(name);
    }

    /// Adds to a number, or members to a set; an absent one counts from 0, or is empty.
    pub fn add(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(attribute, value));
        self.add.push(format!("{name} {value}"));
    }

    /// Takes members out of a set; one that becomes empty is gone.
    pub fn delete(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(attribute, value));
        self.delete.push(format!("{name} {value}"));
    }

    /// Removes what an expression says, made of [`Update::name`].
    pub fn remove_expression(&mut self, expression: String) {
        self.remove.push(expression);
    }

    /// Only if this holds too.
    pub fn only_if(&mut self, condition: String) {
        self.condition.push(condition);
    }

    /// Only if an attribute has this value.
    pub fn only_if_is(&mut self, attribute: &str, value: AttributeValue) {
        let (name, value) = (self.name(attribute), self.value(&format!("was_{attribute}"), value));
        self.only_if(format!("{name} = {value}"));
    }

    /// Only if an attribute is there.
    pub fn only_if_there(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.only_if(format!("attribute_exists({name})"));
    }

    /// Only if an attribute is not there.
    pub fn only_if_absent(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.only_if(format!("attribute_not_exists({name})"));
    }

    /// Only if an attribute has this value, or is absent if there is none.
    pub fn only_if_is_or_absent(&mut self, attribute: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => self.only_if_is(attribute, value),
            None => self.only_if_absent(attribute),
        }
    }

    fn expression(&self) -> String {
        let clause = |verb: &str, parts: &[String]| {
            (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(", ")))
        };
        let clauses = [
            clause("SET", &self.set),
            clause("REMOVE", &self.remove),
            clause("ADD", &self.add),
            clause("DELETE", &self.delete),
        ];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
