//! A hundred at once, each with the largest payload, against receivers that answer without end or
//! not at all: within the 128 MB of the smallest function. Measured in a process of its own, which
//! does nothing but send; the receivers are here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Answer, Outcome};
use domain::limits::EVENT_BYTES;
use domain::ports::Receiver;
use domain::webhook::WebhookRequest;
use futures::future::join_all;
use rustls::pki_types::CertificateDer;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::kit::*;
use super::tls::{authority, config};

const AT_ONCE: usize = 100;
const BUDGET_KB: u64 = 128 * 1_024;
/// How long one that does not end is held; until then all hundred must have got that far.
const HELD: Duration = Duration::from_secs(8);
const SERVER: &str = "MEMORY_TEST_SERVER";
const ROOT: &str = "MEMORY_TEST_ROOT";

/// What every receiver of a run does, and what comes of it.
#[derive(Clone, Copy)]
struct Case {
    /// Read the request, or leave it where it is.
    reads: bool,
    /// Sent once.
    beginning: &'static str,
    /// Sent again and again.
    endless: &'static str,
    /// The class of all hundred.
    outcome: Outcome,
    /// In what all hundred say.
    words: &'static str,
}

const ENDLESS_BODY: Case = Case {
    reads: true,
    beginning: "HTTP/1.1 200 OK\r\n\r\n",
    endless: "xxxxxxxxxxxxxxxx",
    outcome: Outcome::Succeeded,
    words: "",
};

#[test]
fn endless_bodies_over_tls() {
    let authority = authority("Ours");
    let config = Arc::new(config(authority.sign(&[NAME], |_| {})));
    let hex: String = authority.root().iter().map(|byte| format!("{byte:02x}")).collect();
    check(ENDLESS_BODY, Some((config, hex)));
}

#[test]
fn endless_bodies() {
    check(ENDLESS_BODY, None);
}

#[test]
fn bodies_that_never_come() {
    let words = "began to answer with status 200 but did not finish within";
    check(Case { endless: "", outcome: Outcome::Timeout, words, ..ENDLESS_BODY }, None);
}

#[test]
fn endless_interim_answers() {
    let endless = "HTTP/1.1 100 Continue\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n\r\n";
    let (outcome, words) = (Outcome::ProtocolError, "too many or too long headers");
    check(Case { beginning: "", endless, outcome, words, ..ENDLESS_BODY }, None);
}

#[test]
fn endless_headers() {
    let (beginning, endless) = ("HTTP/1.1 200 OK\r\nX: ", "yyyyyyyyyyyyyyyy");
    let (outcome, words) = (Outcome::ProtocolError, "too many or too long headers");
    check(Case { beginning, endless, outcome, words, ..ENDLESS_BODY }, None);
}

#[test]
fn requests_that_nobody_reads() {
    let (outcome, words) = (Outcome::Timeout, "did not answer within");
    check(Case { reads: false, beginning: "", endless: "", outcome, words }, None);
}

fn check(case: Case, tls: Option<(Arc<ServerConfig>, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.local_addr().expect("bound");
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["receiver::tests::memory::sender", "--exact", "--ignored", "--nocapture"]);
    child.env(SERVER, server.to_string());
    let config = tls.map(|(config, root)| {
        child.env(ROOT, root);
        config
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = config.clone();
            std::thread::spawn(move || match config {
                None => serve(stream, case),
                Some(config) => {
                    let connection = ServerConnection::new(config).expect("a connection");
                    serve(StreamOwned::new(connection, stream), case);
                }
            });
        }
    });
    let done = child.output().expect("started");
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{printed}\n{}", String::from_utf8_lossy(&done.stderr));
    let value = |name| {
        let found = printed.lines().find_map(|line| line.split_once(name));
        found.unwrap_or_else(|| panic!("{name} in {printed}")).1.trim()
    };
    assert_eq!(value("all: "), format!("{} of {AT_ONCE}", case.outcome.as_str()), "{printed}");
    assert!(value("error:").contains(case.words), "{printed}");
    let peak = value("VmHWM:").trim_end_matches(" kB");
    eprintln!("{AT_ONCE} {}, {}: {peak} KB", case.outcome.as_str(), value("error:"));
    assert!(peak.parse::<u64>().expect("a number") < BUDGET_KB, "{peak} KB");
}

fn serve(mut stream: impl Read + Write, case: Case) {
    let mut received = vec![0; if case.reads { EVENT_BYTES } else { 1 }];
    let begun = stream.read_exact(&mut received).is_ok();
    if !begun || stream.write_all(case.beginning.as_bytes()).is_err() {
        return;
    }
    let endless = case.endless.repeat(4_096);
    while !endless.is_empty() && stream.write_all(endless.as_bytes()).is_ok() {}
    if case.reads {
        let _ = stream.read_to_end(&mut received);
    } else {
        std::thread::sleep(HELD * 2);
    }
}

#[test]
#[ignore = "the child process of the tests above"]
#[expect(clippy::print_stdout, reason = "its parent reads it")]
fn sender() {
    let server: SocketAddr =
        std::env::var(SERVER).expect("set by the parent").parse().expect("an address");
    let (receiver, url, deadline) = match std::env::var(ROOT) {
        Err(_) => (local(), format!("http://{server}/"), HELD),
        Ok(hex) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(bytes(&hex))).expect("a root");
            let receiver = public(resolver_of(PUBLIC), roots, Some(server));
            (receiver, format!("https://{NAME}/"), 10 * HELD)
        }
    };
    // A body each: what is shared between clones is not what a batch holds.
    let large = || WebhookRequest { body: "x".repeat(EVENT_BYTES).into(), ..request(url.clone()) };
    let requests: Vec<WebhookRequest> = std::iter::repeat_with(large).take(AT_ONCE).collect();
    let posts = requests.iter().map(|request| receiver.post(request, deadline));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answers = runtime.expect("a runtime").block_on(join_all(posts));
    let what = |answer: &Answer| (answer.outcome, answer.error.clone().unwrap_or_default());
    let (outcome, error) = what(&answers[0]);
    let same = answers.iter().filter(|answer| what(answer) == (outcome, error.clone())).count();
    println!("\nall: {} of {same}\nerror:{error}", outcome.as_str());
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux"));
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}
