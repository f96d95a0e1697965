//! The command line of `cargo local`.

use std::collections::BTreeMap;

use crate::{Error, Profile};

/// What `cargo local --help` prints.
pub const HELP: &str = "\
Runs the whole of Rackwave webhook delivery on this machine: the real template and functions on
an emulator of AWS, a demo receiver, a sample event. Nothing but loopback is called.

usage: cargo local [flags]     start, and stay up until Ctrl-C
       cargo local down        take down what was started with --detach
       cargo local emulator    the emulator alone, for `sam deploy`: see infra/deploy.md
                               (with --port and --detach, if wanted)

  --retry-delays 2,4,6,8  seconds before attempts 2 to 5 (RetryDelaysSeconds)
  --give-up-after 90      seconds until a delivery is marked failed (GiveUpAfterSeconds)
  --param Key=Value       any other parameter of template.yaml; may be repeated
  --port N                the emulator's port; else the next free one from 4566
  --no-demo               no demo receiver and no sample event
  --release               build as for AWS: slower to build, faster to run
  --detach                return when ready; `cargo local down` ends it
  --help                  this text

examples:
  cargo local
  cargo local --retry-delays 2,4,6,8 --give-up-after 90      a day's schedule in 90 seconds
  cargo local --no-demo --detach && cargo run -q -p cli -- endpoints list; cargo local down

While it is up, .local/stack.json says where everything is (the CLI reads it by itself), and
.local/logs holds what each function writes. The state is in memory: it ends with the stack.

exit codes: 0 ended as asked   2 unknown flag or parameter   3 something to install is missing
            4 port taken       5 the build failed            6 no Python environment
            7 no stack         8 already running             9 the demo failed
            130 interrupted before it was ready
";

/// Parameters that make a stack a local one; not to be set.
const FIXED: [&str; 2] = ["Stage", "Architecture"];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Start the stack.
    Up(Up),
    /// Start the emulator alone, with none of the parameters.
    Emulator(Up),
    /// End the one that runs.
    Down,
    /// Print [`HELP`].
    Help,
}

/// How to start the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// This one, or the next free one.
    pub port: Option<u16>,
    /// Run the demo.
    pub demo: bool,
    /// Debug unless `--release`.
    pub profile: Profile,
    /// Return when ready.
    pub detach: bool,
    /// Of the template, by name.
    pub parameters: BTreeMap<String, String>,
}

impl Default for Up {
    fn default() -> Self {
        Self {
            port: None,
            demo: true,
            profile: Profile::Debug,
            detach: false,
            parameters: BTreeMap::new(),
        }
    }
}

/// # Errors
/// [`Error::Usage`] naming the word that is not understood.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Request, Error> {
    let mut up = Up::default();
    let mut command = None;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (flag, attached) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument.clone(), None),
        };
        let mut value = || {
            let value = attached.clone().or_else(|| arguments.next());
            value.ok_or_else(|| usage(&format!("{flag} needs a value")))
        };
        match flag.as_str() {
            "--port" => up.port = Some(port(&value()?)?),
            "--retry-delays" => set(&mut up, "RetryDelaysSeconds", &value()?)?,
            "--give-up-after" => set(&mut up, "GiveUpAfterSeconds", &value()?)?,
            "--param" => {
                let value = value()?;
                let (name, value) = value.split_once('=').ok_or_else(|| {
                    usage(&format!("--param is given as Key=Value, not as {value}"))
                })?;
                set(&mut up, name, value)?;
            }
            _ if attached.is_some() => return Err(unknown(&argument)),
            "--no-demo" => up.demo = false,
            "--release" => up.profile = Profile::Release,
            "--detach" => up.detach = true,
            "--help" | "-h" | "help" => return Ok(Request::Help),
            "down" | "emulator" if command.is_none() => command = Some(flag),
            _ => return Err(unknown(&argument)),
        }
    }
    let bare = Up { port: up.port, detach: up.detach, ..Up::default() };
    match command.as_deref() {
        None => Ok(Request::Up(up)),
        Some("emulator") if up == bare => Ok(Request::Emulator(up)),
        Some("emulator") => Err(usage("`emulator` takes no flags but --port and --detach")),
        Some(_) if up == Up::default() => Ok(Request::Down),
        Some(_) => Err(usage("`down` takes no flags")),
    }
}

fn set(up: &mut Up, name: &str, value: &str) -> Result<(), Error> {
    if FIXED.contains(&name) {
        return Err(usage(&format!("parameter {name} is fixed on the local stack")));
    }
    match up.parameters.insert(name.to_owned(), value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(usage(&format!("parameter {name} is given twice"))),
    }
}

fn port(text: &str) -> Result<u16, Error> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(usage(&format!("--port is a number from 1 to 65535, not {text}"))),
    }
}

/// Are all parameters in the template? Asked before the build; the values are checked when the
/// stack is deployed.
///
/// # Errors
/// [`Error::Usage`] naming the first that is not, and those that are.
pub fn check_parameters(up: &Up, template: &str) -> Result<(), Error> {
    let declared = declared_parameters(template);
    match up.parameters.keys().find(|name| !declared.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(usage(&format!(
            "template.yaml has no parameter {name}; it has {}",
            declared.join(", ")
        ))),
    }
}

/// The keys under `Parameters:`. Enough YAML for a file whose form our own tests watch.
fn declared_parameters(template: &str) -> Vec<&str> {
    template
        .lines()
        .skip_while(|line| !line.starts_with("Parameters:"))
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']))
        .filter_map(|line| line.strip_prefix("  ")?.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric))
        .collect()
}

fn unknown(argument: &str) -> Error {
    usage(&format!("{argument} is not a flag of cargo local"))
}

fn usage(message: &str) -> Error {
    Error::Usage(format!("{message}\n  See: cargo local --help"))
}

#[cfg(test)]
mod tests {
    use super::{Request, Up, check_parameters, declared_parameters, parse};
    use crate::Profile;

    const TEMPLATE: &str = "\
Transform: x

Parameters:
  Stage:
    Type: String
  # A remark: not a parameter.

  SqsDelayMaxSeconds: {Type: Number}
Resources:
  Queue:
    Type: AWS::SQS::Queue
";

    fn up(line: &str) -> Up {
        match parse(line.split_whitespace().map(str::to_owned)) {
            Ok(Request::Up(up)) => up,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str) -> String {
        let error = parse(line.split_whitespace().map(str::to_owned)).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string().lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn flags_become_a_request() {
        assert_eq!(up(""), Up::default());
        assert_eq!(up("--port 5000"), Up { port: Some(5000), ..Up::default() });
        assert_eq!(up("--port=5000"), up("--port 5000"));
        assert_eq!(up("--release").profile, Profile::Release);
        assert!(!up("--no-demo --detach").demo);
        assert!(up("--no-demo --detach").detach);
        assert_eq!(parse(["down".to_owned()]).ok(), Some(Request::Down));
        assert_eq!(parse(["--help".to_owned()]).ok(), Some(Request::Help));
        let words = ["emulator", "--port", "5000"].map(str::to_owned);
        let emulator = Up { port: Some(5000), ..Up::default() };
        assert_eq!(parse(words).ok(), Some(Request::Emulator(emulator)));
    }

    #[test]
    fn short_schedules_are_parameters_of_the_template() {
        let up = up("--retry-delays 2,4,6,8 --give-up-after 90 --param SqsDelayMaxSeconds=3");
        let given: Vec<_> = up.parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            given,
            [
                ("GiveUpAfterSeconds", "90"),
                ("RetryDelaysSeconds", "2,4,6,8"),
                ("SqsDelayMaxSeconds", "3")
            ]
        );
        assert_eq!(super::tests::up("--param A=b=c").parameters["A"], "b=c");
        assert_eq!(super::tests::up("--param=A=b").parameters["A"], "b");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, message) in [
            ("--prot 1", "--prot is not a flag of cargo local"),
            ("up", "up is not a flag of cargo local"),
            ("--detach=yes", "--detach=yes is not a flag of cargo local"),
            ("--port", "--port needs a value"),
            ("--port 0", "--port is a number from 1 to 65535, not 0"),
            ("--port 70000", "--port is a number from 1 to 65535, not 70000"),
            ("--param Stage", "--param is given as Key=Value, not as Stage"),
            ("--param Stage=prod", "parameter Stage is fixed on the local stack"),
            (
                "--retry-delays 1,2,3,4 --param RetryDelaysSeconds=5",
                "parameter RetryDelaysSeconds is given twice",
            ),
            ("down --detach", "`down` takes no flags"),
            ("down emulator", "emulator is not a flag of cargo local"),
            ("emulator --release", "`emulator` takes no flags but --port and --detach"),
            ("--param A=b emulator", "`emulator` takes no flags but --port and --detach"),
        ] {
            assert_eq!(refused(line), message);
        }
    }

    #[test]
    fn parameters_that_the_template_does_not_have_are_named() {
        assert_eq!(declared_parameters(TEMPLATE), ["Stage", "SqsDelayMaxSeconds"]);
        assert!(check_parameters(&up("--param SqsDelayMaxSeconds=3"), TEMPLATE).is_ok());
        let error = check_parameters(&up("--param Queue=3"), TEMPLATE).expect_err("no parameter");
        assert!(
            error.to_string().starts_with(
                "template.yaml has no parameter Queue; it has Stage, SqsDelayMaxSeconds"
            )
        );
    }
}
