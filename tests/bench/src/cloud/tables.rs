//! DynamoDB: items by their keys.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::update;

/// An item as DynamoDB's JSON spells it.
pub type Item = Map<String, Value>;

/// All tables.
pub struct Tables {
    keys: BTreeMap<String, Vec<String>>,
    items: HashMap<String, HashMap<String, Item>>,
}

impl Tables {
    /// Empty ones, by the names of their keys.
    pub fn new(keys: BTreeMap<String, Vec<String>>) -> Self {
        Self { keys, items: HashMap::new() }
    }

    /// How many items of a table have this text in this attribute.
    pub fn count(&self, table: &str, attribute: &str, text: &str) -> usize {
        let has = |item: &&Item| item.get(attribute).is_some_and(|value| value["S"] == text);
        self.items.get(table).map_or(0, |items| items.values().filter(has).count())
    }

    /// Answers a request.
    pub fn answer(&mut self, operation: &str, mut body: Value) -> anyhow::Result<(u16, Value)> {
        let table = body["TableName"].as_str().context("TableName")?.to_owned();
        let answer = match operation {
            "GetItem" => self.read(&table, &body)?,
            "PutItem" => return self.put(&table, &mut body),
            "UpdateItem" => self.update(&table, &mut body)?,
            "Query" => self.query(&table, &body)?,
            "Scan" => self.scan(&table),
            _ => bail!("no such operation"),
        };
        Ok((200, answer))
    }

    fn read(&self, table: &str, body: &Value) -> anyhow::Result<Value> {
        let key = self.key(table, body["Key"].as_object().context("Key")?)?;
        let found = self.items.get(table).and_then(|items| items.get(&key));
        Ok(found.map_or_else(|| json!({}), |item| json!({"Item": item})))
    }

    fn put(&mut self, table: &str, body: &mut Value) -> anyhow::Result<(u16, Value)> {
        let Value::Object(item) = body["Item"].take() else { bail!("Item") };
        let key = self.key(table, &item)?;
        let condition = body["ConditionExpression"].as_str().unwrap_or_default();
        let items = self.items.entry(table.to_owned()).or_default();
        if let (true, Some(there)) =
            (condition.starts_with("attribute_not_exists"), items.get(&key))
        {
            let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
            return Ok((400, json!({"__type": kind, "message": "it is there", "Item": there})));
        }
        items.insert(key, item);
        Ok((200, json!({})))
    }

    fn update(&mut self, table: &str, body: &mut Value) -> anyhow::Result<Value> {
        let Value::Object(key) = body["Key"].take() else { bail!("Key") };
        let place = self.key(table, &key)?;
        let item = self.items.entry(table.to_owned()).or_default().entry(place).or_insert(key);
        let expression = body["UpdateExpression"].as_str().context("UpdateExpression")?;
        let placeholders = update::Placeholders {
            names: &body["ExpressionAttributeNames"],
            values: &body["ExpressionAttributeValues"],
        };
        let changed = update::apply(item, expression, &placeholders)?;
        let changed: Item = changed
            .into_iter()
            .filter_map(|name| item.get(&name).map(|value| (name.clone(), value.clone())))
            .collect();
        Ok(json!({"Attributes": changed}))
    }

    /// Those whose attributes are equal to what is asked for. Other comparisons hold.
    fn query(&self, table: &str, body: &Value) -> anyhow::Result<Value> {
        let conditions = body["KeyConditionExpression"].as_str().context("conditions")?;
        let equal: Vec<(&str, &Value)> = conditions
            .split(" AND ")
            .filter_map(|condition| condition.split_once(" = "))
            .filter_map(|(name, value)| {
                let name = body["ExpressionAttributeNames"][name].as_str()?;
                Some((name, &body["ExpressionAttributeValues"][value]))
            })
            .collect();
        let fits = |item: &&Item| equal.iter().all(|(name, value)| item.get(*name) == Some(value));
        let items = self.items.get(table).into_iter().flat_map(HashMap::values);
        let found: Vec<&Item> = items.filter(fits).collect();
        Ok(json!({"Items": found, "Count": found.len(), "ScannedCount": found.len()}))
    }

    fn scan(&self, table: &str) -> Value {
        let items = self.items.get(table).into_iter().flat_map(HashMap::values);
        let found: Vec<&Item> = items.collect();
        json!({"Items": found, "Count": found.len(), "ScannedCount": found.len()})
    }

    fn key(&self, table: &str, item: &Item) -> anyhow::Result<String> {
        let mut text = String::new();
        for name in self.keys.get(table).with_context(|| format!("no table {table}"))? {
            let part = item.get(name).and_then(|value| value["S"].as_str());
            text.push_str(part.with_context(|| format!("no {name}"))?);
            text.push('\n');
        }
        Ok(text)
    }
}
