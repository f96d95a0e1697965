//! Settings, read once at start from a lookup function. A missing or wrong one stops the start
//! with a message that names the variable.

use std::str::FromStr;
use std::time::Duration;

use crate::health::HealthRules;
use crate::limits::{
    DISABLE_AFTER_MAX_S, REQUEST_TIMEOUT_S, SECRET_OVERLAP_MAX_S, SQS_DELAY_MAX_S,
};
use crate::schedule::RetrySchedule;
use crate::target::{Egress, TargetRules};

/// A variable that stops the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingError {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// Where settings come from: in production the environment, in tests a table.
pub struct Lookup<'a>(&'a dyn Fn(&str) -> Option<String>);

/// What reading a setting answers.
pub type SettingResult<T> = Result<T, SettingError>;

impl<'a> Lookup<'a> {
    /// From a function that knows variables by name.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(lookup)
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// If it is missing or empty.
    pub fn text(&self, variable: &'static str) -> SettingResult<String> {
        let found = (self.0)(variable).filter(|text| !text.is_empty());
        found.ok_or_else(|| wrong(variable, "is not set"))
    }

    /// A text that may be missing or empty.
    pub fn text_or_nothing(&self, variable: &'static str) -> Option<String> {
        (self.0)(variable).filter(|text| !text.is_empty())
    }

    fn number<T: FromStr>(&self, variable: &'static str) -> SettingResult<T> {
        self.text(variable)?.trim().parse().map_err(|_| wrong(variable, "is not a whole number"))
    }

    fn seconds_up_to(&self, variable: &'static str, most: u32) -> SettingResult<u32> {
        let seconds: u32 = self.number(variable)?;
        if (1..=most).contains(&seconds) {
            Ok(seconds)
        } else {
            Err(wrong(variable, &format!("must be 1 to {most} seconds")))
        }
    }

    /// `RETRY_DELAYS_SECONDS` and `GIVE_UP_AFTER_SECONDS`.
    ///
    /// # Errors
    /// If the numbers make no schedule.
    pub fn schedule(&self) -> SettingResult<RetrySchedule> {
        const DELAYS: &str = "RETRY_DELAYS_SECONDS";
        let text = self.text(DELAYS)?;
        let delays: Result<Vec<u32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        let delays = delays.map_err(|_| wrong(DELAYS, "must be whole seconds joined by commas"))?;
        let give_up_after = self.number("GIVE_UP_AFTER_SECONDS")?;
        RetrySchedule::new(&delays, give_up_after)
            .map_err(|e| wrong(DELAYS, &format!("is wrong: {e}")))
    }

    /// `SQS_DELAY_MAX_SECONDS`: the longest wait left to SQS.
    ///
    /// # Errors
    /// If it is not 1 to 900.
    pub fn sqs_delay_max_s(&self) -> SettingResult<u32> {
        self.seconds_up_to("SQS_DELAY_MAX_SECONDS", SQS_DELAY_MAX_S)
    }

    /// `REQUEST_TIMEOUT_SECONDS`.
    ///
    /// # Errors
    /// If it is not 1 to 30.
    pub fn request_timeout(&self) -> SettingResult<Duration> {
        let seconds = self.seconds_up_to("REQUEST_TIMEOUT_SECONDS", REQUEST_TIMEOUT_S)?;
        Ok(Duration::from_secs(seconds.into()))
    }

    /// `SECRET_OVERLAP_SECONDS`: how long the old secret signs beside the new one.
    ///
    /// # Errors
    /// If it is not 1 to 604,800.
    pub fn secret_overlap(&self) -> SettingResult<Duration> {
        let seconds = self.seconds_up_to("SECRET_OVERLAP_SECONDS", SECRET_OVERLAP_MAX_S)?;
        Ok(Duration::from_secs(seconds.into()))
    }

    /// `ALERT_AFTER_SECONDS`, where 0 is no alert, `WARN_AFTER_SECONDS`, `DISABLE_AFTER_SECONDS`.
    ///
    /// # Errors
    /// If one of them is not within its bounds.
    pub fn health_rules(&self) -> SettingResult<HealthRules> {
        const ALERT: &str = "ALERT_AFTER_SECONDS";
        let alert_after = match self.text(ALERT)?.trim() {
            "0" => None,
            _ => Some(self.seconds_up_to(ALERT, DISABLE_AFTER_MAX_S)?),
        };
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(HealthRules {
            alert_after: alert_after.map(seconds),
            warn_after: seconds(self.seconds_up_to("WARN_AFTER_SECONDS", DISABLE_AFTER_MAX_S)?),
            disable_after: self.disable_after()?,
        })
    }

    /// `DISABLE_AFTER_SECONDS`.
    ///
    /// # Errors
    /// If it is not 1 to 2,592,000.
    pub fn disable_after(&self) -> SettingResult<Duration> {
        let seconds = self.seconds_up_to("DISABLE_AFTER_SECONDS", DISABLE_AFTER_MAX_S)?;
        Ok(Duration::from_secs(seconds.into()))
    }

    /// `RETENTION_DAYS`.
    ///
    /// # Errors
    /// If it is not 1 to 365.
    pub fn retention(&self) -> SettingResult<Duration> {
        const DAYS: &str = "RETENTION_DAYS";
        let days: u32 = self.number(DAYS)?;
        if (1..=365).contains(&days) {
            Ok(Duration::from_secs(u64::from(days) * 86_400))
        } else {
            Err(wrong(DAYS, "must be 1 to 365 days"))
        }
    }

    /// `PUBLIC_BASE_URL`: where people reach the page, if there is a name for it. Ends in a slash.
    ///
    /// # Errors
    /// If it is no https address that ends in a slash.
    pub fn public_base_url(&self) -> SettingResult<Option<String>> {
        const URL: &str = "PUBLIC_BASE_URL";
        let Some(text) = (self.0)(URL).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let fits =
            text.starts_with("https://") && text.ends_with('/') && !text.contains(['#', '?']);
        match url::Url::parse(&text) {
            Ok(url) if fits && url.host().is_some() => Ok(Some(text)),
            Ok(_) | Err(_) => Err(wrong(URL, "must be an https address that ends in a slash")),
        }
    }

    /// `FRAME_ANCESTORS`: whose pages may show the page in a frame; empty for nobody's.
    ///
    /// # Errors
    /// If one of them is no https origin: what else stood there would end up in the page's
    /// Content-Security-Policy.
    pub fn frame_ancestors(&self) -> SettingResult<String> {
        const SOURCES: &str = "FRAME_ANCESTORS";
        let text = (self.0)(SOURCES).unwrap_or_default();
        let in_host = |b: u8| b.is_ascii_alphanumeric() || b".-:".contains(&b);
        let is_origin = |source: &str| {
            let host = source.strip_prefix("https://").unwrap_or_default();
            let host = host.strip_prefix("*.").unwrap_or(host);
            !host.is_empty() && host.bytes().all(in_host)
        };
        match text.split(' ').filter(|source| !source.is_empty()).all(is_origin) {
            true => Ok(text),
            false => Err(wrong(SOURCES, "must be https origins with spaces between")),
        }
    }

    /// `ALLOW_INSECURE_TARGETS`, which must be `false` unless `STAGE` is `local`. The template
    /// says so too; this is the second lock.
    ///
    /// # Errors
    /// If it is neither `true` nor `false`, or `true` on another stage.
    pub fn target_rules(&self) -> SettingResult<TargetRules> {
        const INSECURE: &str = "ALLOW_INSECURE_TARGETS";
        match (self.text(INSECURE)?.as_str(), self.text("STAGE")?.as_str()) {
            ("false", _) => Ok(TargetRules::PublicHttps),
            ("true", "local") => Ok(TargetRules::InsecureForLocal),
            ("true", _) => Err(wrong(INSECURE, "must be false unless STAGE is local")),
            (_, _) => Err(wrong(INSECURE, "must be true or false")),
        }
    }

    /// [`Lookup::target_rules`] for a function that calls endpoints: beside its own runtime, whose
    /// place Lambda tells in `AWS_LAMBDA_RUNTIME_API`.
    ///
    /// # Errors
    /// As [`Lookup::target_rules`].
    pub fn egress(&self) -> SettingResult<Egress> {
        let runtime_api = (self.0)("AWS_LAMBDA_RUNTIME_API");
        Ok(Egress::beside_runtime(self.target_rules()?, runtime_api.as_deref()))
    }
}

fn wrong(variable: &'static str, problem: &str) -> SettingError {
    SettingError { variable, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(
        variables: &[(&str, &str)],
        read: impl Fn(&Lookup<'_>) -> SettingResult<T>,
    ) -> Result<T, String> {
        let lookup = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        read(&Lookup::new(&lookup)).map_err(|e| e.to_string())
    }

    #[test]
    fn a_wrong_setting_names_its_variable() {
        let schedule = |delays, end| {
            with(&[("RETRY_DELAYS_SECONDS", delays), ("GIVE_UP_AFTER_SECONDS", end)], |l| {
                l.schedule()
            })
            .err()
        };
        assert_eq!(schedule("300,1800,7200,28800", "86400"), None);
        assert_eq!(schedule("2, 4,6,8", "90"), None);
        let wrong = "RETRY_DELAYS_SECONDS must be whole seconds joined by commas";
        assert_eq!(schedule("300;1800", "86400").as_deref(), Some(wrong));
        assert_eq!(
            schedule("300", "x").as_deref(),
            Some("GIVE_UP_AFTER_SECONDS is not a whole number")
        );
        assert!(
            schedule("300", "300").is_some_and(|e| e.starts_with("RETRY_DELAYS_SECONDS is wrong"))
        );
        assert_eq!(
            with(&[], |l| l.request_timeout()),
            Err("REQUEST_TIMEOUT_SECONDS is not set".into())
        );
        assert!(with(&[("REQUEST_TIMEOUT_SECONDS", "31")], |l| l.request_timeout()).is_err());
        assert!(with(&[("SQS_DELAY_MAX_SECONDS", "901")], |l| l.sqs_delay_max_s()).is_err());
        assert!(with(&[("SECRET_OVERLAP_SECONDS", "0")], |l| l.secret_overlap()).is_err());
        assert!(with(&[("DISABLE_AFTER_SECONDS", "2592001")], |l| l.disable_after()).is_err());
        assert!(with(&[("RETENTION_DAYS", "0")], |l| l.retention()).is_err());
    }

    #[test]
    fn the_pages_address_is_https_and_ends_in_a_slash() {
        let read = |url| with(&[("PUBLIC_BASE_URL", url)], |l| l.public_base_url());
        assert_eq!(read(""), Ok(None));
        for good in ["https://hooks.example.com/", "https://example.com:8443/webhooks/"] {
            assert_eq!(read(good), Ok(Some(good.into())));
        }
        for bad in ["x", "http://a.example/", "https://a.example", "https://a/?b/", "https://#/"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_alert_can_be_turned_off_a_warning_cannot() {
        let rules = |alert, warn| {
            let variables = [
                ("ALERT_AFTER_SECONDS", alert),
                ("WARN_AFTER_SECONDS", warn),
                ("DISABLE_AFTER_SECONDS", "604800"),
            ];
            with(&variables, |l| l.health_rules())
        };
        let seconds = Duration::from_secs;
        let disable_after = seconds(604_800);
        let warn_after = seconds(259_200);
        let expected = HealthRules { alert_after: Some(seconds(3_600)), warn_after, disable_after };
        assert_eq!(rules("3600", "259200"), Ok(expected));
        let quiet = HealthRules { alert_after: None, ..expected };
        assert_eq!(rules("0", "259200"), Ok(quiet));
        assert!(rules("", "259200").is_err() && rules("x", "259200").is_err());
        assert!(rules("3600", "0").is_err());
    }

    #[test]
    fn only_https_origins_may_frame_the_page() {
        let read = |text| with(&[("FRAME_ANCESTORS", text)], |l| l.frame_ancestors());
        for good in ["", "https://a.example", "https://*.a.example https://b.example:8443"] {
            assert_eq!(read(good), Ok(good.into()));
        }
        for bad in ["*", "http://a.example", "https://", "https://a; script-src *", "https://*.*"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_local_sender_spares_the_runtime_it_is_told_of() {
        let check = |stage, insecure, url: &str| {
            let variables = [
                ("STAGE", stage),
                ("ALLOW_INSECURE_TARGETS", insecure),
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:34567"),
            ];
            with(&variables, |l| l.egress()).map(|egress| egress.check_url(url).is_ok())
        };
        assert_eq!(check("local", "true", "http://127.0.0.1:8000/"), Ok(true));
        assert_eq!(check("local", "true", "http://127.0.0.1:34567/"), Ok(false));
        assert_eq!(check("local", "false", "http://127.0.0.1:8000/"), Ok(false));
        assert_eq!(check("prod", "false", "https://hooks.example.com/"), Ok(true));
        assert!(check("prod", "true", "https://hooks.example.com/").is_err());
    }

    #[test]
    fn insecure_targets_are_for_the_local_stage_alone() {
        let rules = |insecure, stage| {
            with(&[("ALLOW_INSECURE_TARGETS", insecure), ("STAGE", stage)], |l| l.target_rules())
        };
        assert_eq!(rules("false", "prod"), Ok(TargetRules::PublicHttps));
        assert_eq!(rules("false", "local"), Ok(TargetRules::PublicHttps));
        assert_eq!(rules("true", "local"), Ok(TargetRules::InsecureForLocal));
        for stage in ["prod", "dev", "Local"] {
            assert!(rules("true", stage).is_err(), "{stage}");
        }
        assert!(rules("yes", "local").is_err());
    }
}
