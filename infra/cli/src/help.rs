//! Help texts: every command has examples, and each of them would be understood.

use clap::{Command, CommandFactory, Parser};

use super::Cli;

/// What stands in examples for an id.
const IDS: [(&str, &str); 5] = [
    ("ep_…", "ep_0123456789abcdef0123"),
    ("dlv_…", "dlv_abc_0_019ea1732b20_00112233445566778899aabbccddeeff"),
    ("evt_…", "evt_00112233445566778899aabbccddeeff"),
    ("rec_…", "rec_09090909090909090909"),
    ("key_…", "key_0123456789abcdef"),
];

/// Commands without further ones, by their path.
fn leaves(command: &Command, path: &str) -> Vec<(String, Command)> {
    let path = format!("{path} {}", command.get_name());
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let below: Vec<_> = visible.flat_map(|sub| leaves(sub, &path)).collect();
    if below.is_empty() { vec![(path, command.clone())] } else { below }
}

/// The examples of a help text, lines that go on joined.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let parts: Vec<&str> = help.split("\\\n").map(str::trim).collect();
    let joined = parts.join(" ");
    let lines = joined.lines().map(str::trim).filter(|line| line.starts_with("webhooks "));
    lines.map(str::to_owned).collect()
}

/// As a shell splits it: single quotes keep together, `>` ends it, two spaces begin a remark.
fn words(example: &str) -> Vec<String> {
    let example = IDS.iter().fold(example.to_owned(), |text, (id, real)| text.replace(id, real));
    let mut words = Vec::new();
    for (nth, part) in example.split('\'').enumerate() {
        if nth % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let before_remark = part.trim_start().split("  ").next().unwrap_or_default();
        let command = before_remark.split(" > ").next().unwrap_or_default();
        words.extend(command.split_whitespace().map(str::to_owned));
    }
    words
}

#[test]
fn every_example_is_understood() {
    let all = Cli::command();
    let general = examples(&all);
    assert!(general.len() > 10, "{general:?}");
    let of_leaves = leaves(&all, "").into_iter().flat_map(|(path, leaf)| {
        let found = examples(&leaf);
        assert!(!found.is_empty(), "{path} has no example");
        found
    });
    for example in general.into_iter().chain(of_leaves) {
        let words = words(&example);
        if let Err(error) = Cli::try_parse_from(&words) {
            panic!("{example}: {error}");
        }
    }
}
