//! `webhooks check-url`: would the sender call it, and why not; with the sender's own rules, and
//! without a stack.

use std::io::{BufRead, Read, Write};
use std::net::IpAddr;

use clap::Args;
use domain::target::{Egress, Refusal, TargetRules};
use serde::{Deserialize, Serialize};

use crate::output;

/// Bytes of one line of a batch: a URL at its limit and all the answers a name may have, with
/// plenty of room for escapes.
const LINE_BYTES: usize = 64 * 1024;

#[derive(Args)]
#[command(after_help = BATCH)]
pub struct CheckUrl {
    /// The URL, as an endpoint would be registered with.
    #[arg(required_unless_present = "batch")]
    url: Option<String>,
    /// An address that its name resolved to; may be repeated. Without it, only the URL is judged.
    #[arg(long = "answer", value_name = "IP", requires = "url")]
    answers: Option<Vec<String>>,
    /// Judge the lines of standard input.
    #[arg(long, conflicts_with_all = ["url", "answers"])]
    batch: bool,
}

const BATCH: &str = "\
Example:
  webhooks check-url https://hooks.example.com/in --answer 10.0.0.1

Exit codes: 0 the sender would call it; 1 it would not.

With --batch, every line of standard input is {\"url\":\"https://…\",\"answers\":[\"1.2.3.4\"]}, or without
\"answers\" to judge the URL alone. One line comes back for each:
{\"url\":…,\"verdict\":\"allowed\"|\"blocked\",\"reason\":null|\"loopback_address\"|…}. What cannot be read is
blocked. The exit code is then 0 once every line is answered.";

/// Why a target is blocked.
enum Reason {
    /// It breaks a rule.
    Refused(Refusal),
    /// An answer is no address.
    UnreadableAnswer,
    /// A line of a batch is not as described.
    UnreadableLine,
}

impl Reason {
    fn code(&self) -> &'static str {
        match self {
            Reason::Refused(refusal) => refusal.code(),
            Reason::UnreadableAnswer => "unreadable_answer",
            Reason::UnreadableLine => "unreadable_line",
        }
    }

    fn words(&self) -> String {
        match self {
            Reason::Refused(refusal) => refusal.to_string(),
            Reason::UnreadableAnswer => "an answer is not an IP address".to_owned(),
            Reason::UnreadableLine => "the line is not as --help describes it".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    url: String,
    answers: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    url: Option<&'a str>,
    verdict: &'static str,
    reason: Option<&'static str>,
}

impl<'a> Verdict<'a> {
    fn new(url: Option<&'a str>, judged: &Result<(), Reason>) -> Self {
        match judged {
            Ok(()) => Self { url, verdict: "allowed", reason: None },
            Err(reason) => Self { url, verdict: "blocked", reason: Some(reason.code()) },
        }
    }
}

impl CheckUrl {
    pub fn run(self, json: bool) -> anyhow::Result<bool> {
        let Some(url) = self.url else {
            let done = answer_lines(&mut std::io::stdin().lock(), &mut std::io::stdout().lock());
            // Whoever read the answers has read enough, such as `head`.
            return done
                .or_else(|error| if is_broken_pipe(&error) { Ok(()) } else { Err(error) })
                .map(|()| true);
        };
        let judged = judge(&url, self.answers.as_deref());
        if json {
            output::json(&serde_json::to_value(Verdict::new(Some(&url), &judged))?);
        } else {
            match &judged {
                Ok(()) => {
                    let asked = self.answers.is_some();
                    let further = if asked { "" } else { "; its addresses are judged when called" };
                    output::say!("{}{further}", output::verdict(true, "allowed"));
                }
                Err(reason) => {
                    let words = reason.words();
                    output::say!("{}: {words}", output::verdict(false, "blocked"));
                }
            }
        }
        Ok(judged.is_ok())
    }
}

/// The sender's verdict on a URL, and on what its name resolved to.
fn judge(url: &str, answers: Option<&[String]>) -> Result<(), Reason> {
    let egress = Egress::new(TargetRules::PublicHttps);
    let url = egress.check_url(url).map_err(Reason::Refused)?;
    let Some(answers) = answers else { return Ok(()) };
    let parse = |answer: &String| answer.parse().map_err(|_| Reason::UnreadableAnswer);
    let answers = answers.iter().map(parse).collect::<Result<Vec<IpAddr>, Reason>>()?;
    egress.check_answers(&url, &answers).map_err(Reason::Refused)
}

fn answer_lines(input: &mut impl BufRead, output: &mut impl Write) -> anyhow::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(output.flush()?);
        }
        let complete = line.ends_with(b"\n") || line.len() < LINE_BYTES;
        if !complete {
            skip_line(input)?;
        }
        // An array would do for a struct, too.
        let is_object = line.trim_ascii_start().starts_with(b"{");
        let read = serde_json::from_slice(&line).ok().filter(|_: &Line| complete && is_object);
        let judged = match &read {
            Some(line) => judge(&line.url, line.answers.as_deref()),
            None => Err(Reason::UnreadableLine),
        };
        // What can still be told of a line that is not as described is which URL it was about.
        let named = url_of(&line);
        serde_json::to_writer(&mut *output, &Verdict::new(named.as_deref(), &judged))?;
        output.write_all(b"\n")?;
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let plain = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let in_json = error.downcast_ref().and_then(serde_json::Error::io_error_kind);
    plain.or(in_json) == Some(std::io::ErrorKind::BrokenPipe)
}

/// The rest of a line that is longer than any good one.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let chunk = input.fill_buf()?;
        let end = chunk.iter().position(|b| *b == b'\n');
        let (skipped, over) = (end.map_or(chunk.len(), |end| end + 1), chunk.is_empty());
        input.consume(skipped);
        if end.is_some() || over {
            return Ok(());
        }
    }
}

fn url_of(line: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    value.get("url")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &[&str]) {
        let mut output = Vec::new();
        answer_lines(&mut input.as_bytes(), &mut output).expect("written");
        let output = String::from_utf8(output).expect("text");
        assert_eq!(output.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_line_is_answered() {
        check("", &[]);
        check(
            concat!(
                r#"{"url":"https://hooks.example.com/"}"#,
                "\n",
                r#"{"url":"https://hooks.example.com/","answers":["93.184.215.14"]}"#,
                "\n",
                r#"{"url":"https://hooks.example.com/","answers":["93.184.215.14","::1"]}"#,
                "\r\n",
                r#"{"url":"https://hooks.example.com/","answers":[]}"#,
                "\n",
                r#"{"url":"https://hooks.example.com/","answers":["127.1"]}"#,
                "\n",
                r#"{"url":"https://hooks.example.com/","answer":["127.0.0.1"]}"#,
                "\n\n",
                r#"{"url":17}"#,
                "\nnot JSON\n",
                r#"{"url":"https://0x7f.1/\r\n"}"#,
            ),
            &[
                r#"{"url":"https://hooks.example.com/","verdict":"allowed","reason":null}"#,
                r#"{"url":"https://hooks.example.com/","verdict":"allowed","reason":null}"#,
                r#"{"url":"https://hooks.example.com/","verdict":"blocked","reason":"loopback_address"}"#,
                r#"{"url":"https://hooks.example.com/","verdict":"blocked","reason":"no_answer"}"#,
                r#"{"url":"https://hooks.example.com/","verdict":"blocked","reason":"unreadable_answer"}"#,
                r#"{"url":"https://hooks.example.com/","verdict":"blocked","reason":"unreadable_line"}"#,
                r#"{"url":null,"verdict":"blocked","reason":"unreadable_line"}"#,
                r#"{"url":null,"verdict":"blocked","reason":"unreadable_line"}"#,
                r#"{"url":null,"verdict":"blocked","reason":"unreadable_line"}"#,
                r#"{"url":"https://0x7f.1/\r\n","verdict":"blocked","reason":"bad_characters"}"#,
            ],
        );
    }

    #[test]
    fn a_reader_that_has_read_enough_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let line = r#"{"url":"https://hooks.example.com/"}"#;
        let error = answer_lines(&mut line.as_bytes(), &mut Closed).expect_err("closed");
        assert!(is_broken_pipe(&error));
        assert!(is_broken_pipe(&std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()));
        assert!(!is_broken_pipe(&std::io::Error::from(std::io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn a_line_without_end_is_answered_once() {
        let long = format!("{{\"url\":\"https://{}\"}}\n", "x".repeat(200_000));
        let blocked = r#"{"url":null,"verdict":"blocked","reason":"unreadable_line"}"#;
        let good = "{\"url\":\"https://hooks.example.com/\"}\n";
        let allowed = r#"{"url":"https://hooks.example.com/","verdict":"allowed","reason":null}"#;
        check(&format!("{long}{good}{}", long.trim_end()), &[blocked, allowed, blocked]);
        let mut output = Vec::new();
        answer_lines(&mut &b"\xff\xfe\n"[..], &mut output).expect("written");
        assert_eq!(output, format!("{blocked}\n").into_bytes());
    }
}
