//! DynamoDB's update expressions, as far as the product writes them. Anything else is an error, so
//! that nothing is measured that does not happen.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::tables::Item;

/// What the placeholders of an expression stand for.
pub struct Placeholders<'b> {
    /// `#name`
    pub names: &'b Value,
    /// `:value`
    pub values: &'b Value,
}

impl<'b> Placeholders<'b> {
    fn name(&self, placeholder: &str) -> anyhow::Result<&'b str> {
        let name = self.names[placeholder].as_str();
        name.with_context(|| format!("the name {placeholder}"))
    }

    fn value(&self, placeholder: &str) -> anyhow::Result<&'b Value> {
        let value = self.values.get(placeholder);
        value.with_context(|| format!("the value {placeholder}"))
    }
}

/// Applies an expression, and answers which attributes it was about.
pub fn apply(
    item: &mut Item,
    expression: &str,
    placeholders: &Placeholders<'_>,
) -> anyhow::Result<Vec<String>> {
    let mut touched = Vec::new();
    for (verb, parts) in clauses(expression) {
        for part in parts {
            let name = match verb {
                "SET" => set(item, part, placeholders)?,
                "REMOVE" => {
                    let name = placeholders.name(part)?;
                    item.remove(name);
                    name
                }
                "ADD" => add(item, part, placeholders)?,
                _ => bail!("the clause {verb}"),
            };
            touched.push(name.to_owned());
        }
    }
    Ok(touched)
}

/// `SET a, b REMOVE c` as verbs with their parts.
fn clauses(expression: &str) -> Vec<(&str, Vec<&str>)> {
    const VERBS: [&str; 4] = ["SET ", "REMOVE ", "ADD ", "DELETE "];
    let begins: Vec<usize> = expression
        .match_indices(|c: char| c.is_ascii_uppercase())
        .map(|(at, _)| at)
        .filter(|at| VERBS.iter().any(|verb| expression[*at..].starts_with(verb)))
        .filter(|at| *at == 0 || expression[..*at].ends_with(' '))
        .collect();
    let ends = begins.iter().skip(1).copied().chain([expression.len()]);
    let clause = |(begin, end): (usize, usize)| {
        let text = &expression[begin..end];
        let (verb, parts) = text.split_once(' ').unwrap_or((text, ""));
        (verb, split(parts.trim()))
    };
    begins.iter().copied().zip(ends).map(clause).collect()
}

/// Splits at commas outside of brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

fn set<'b>(
    item: &mut Item,
    part: &str,
    placeholders: &Placeholders<'b>,
) -> anyhow::Result<&'b str> {
    let (name, value) = part.split_once(" = ").context("an assignment")?;
    let name = placeholders.name(name)?;
    if value.starts_with(':') {
        item.insert(name.to_owned(), placeholders.value(value)?.clone());
        return Ok(name);
    }
    // list_append(if_not_exists(#list, :none), :more)
    let more = value.strip_prefix("list_append(if_not_exists(").and_then(|rest| {
        let (_, more) = rest.split_once("), ")?;
        more.strip_suffix(')')
    });
    let more = placeholders.value(more.with_context(|| format!("the value {value}"))?)?;
    let more = more["L"].as_array().context("a list")?;
    let list = item.entry(name).or_insert_with(|| json!({"L": []}));
    list["L"].as_array_mut().context("a list")?.extend(more.iter().cloned());
    Ok(name)
}

/// Adds to a number, or members to a set.
fn add<'b>(
    item: &mut Item,
    part: &str,
    placeholders: &Placeholders<'b>,
) -> anyhow::Result<&'b str> {
    let (name, value) = part.split_once(' ').context("an addition")?;
    let (name, more) = (placeholders.name(name)?, placeholders.value(value)?);
    if let Some(members) = more["SS"].as_array() {
        let set = item.entry(name).or_insert_with(|| json!({"SS": []}));
        let set = set["SS"].as_array_mut().context("a set")?;
        let new: Vec<Value> = members.iter().filter(|one| !set.contains(one)).cloned().collect();
        set.extend(new);
        return Ok(name);
    }
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok());
    let there = item.get(name).and_then(number).unwrap_or(0);
    let sum = there + number(more).context("a number")?;
    item.insert(name.to_owned(), json!({"N": sum.to_string()}));
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_as_a_commit_writes_it() {
        let Value::Object(mut item) = json!({"k": {"S": "1"}, "n": {"N": "2"}, "gone": {"S": "x"}})
        else {
            panic!("an object")
        };
        let names = json!({"#s": "s", "#l": "l", "#gone": "gone", "#n": "n", "#set": "set"});
        let values = json!({
            ":s": {"S": "SET REMOVE"}, ":none": {"L": []}, ":one": {"L": [{"S": "a"}]},
            ":n": {"N": "1"}, ":set": {"SS": ["m"]},
        });
        let placeholders = Placeholders { names: &names, values: &values };
        let expression = "SET #s = :s, #l = list_append(if_not_exists(#l, :none), :one) \
                          REMOVE #gone ADD #n :n, #set :set";
        for _ in 0..2 {
            apply(&mut item, expression, &placeholders).expect("understood");
        }
        let expected = json!({
            "k": {"S": "1"}, "s": {"S": "SET REMOVE"}, "l": {"L": [{"S": "a"}, {"S": "a"}]},
            "n": {"N": "4"}, "set": {"SS": ["m"]},
        });
        assert_eq!(Value::Object(item.clone()), expected);
        for unknown in ["SET #s = #s + :n", "DELETE #set :set", "REMOVE #other"] {
            assert!(apply(&mut item, unknown, &placeholders).is_err(), "{unknown}");
        }
    }
}
