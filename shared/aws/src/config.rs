//! How the SDK is set up. Every operation has a time limit; one TLS provider, ring, serves all.

use std::sync::Once;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use domain::settings::{Lookup, SettingResult};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One try, answer included. The largest request is a batch of 1 MiB within one region.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// All tries of one operation, waits included: short enough that a sender whose endpoint took
/// all its 30 s still commits and arranges within its function's time.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
/// How many times as long a person at a terminal waits for an answer: he would only ask again.
const PERSONS_PATIENCE: u32 = 4;
const TRIES: u32 = 3;

/// For a function: region and credentials are what Lambda puts into the environment. No chain of
/// other sources is asked, so nothing is looked for on disk or on the network at start.
/// `AWS_ENDPOINT_URL`, if set, is where every request goes.
///
/// # Errors
/// If `AWS_REGION` is not set.
pub fn load() -> SettingResult<SdkConfig> {
    let environment = |name: &str| std::env::var(name).ok();
    let settings = Lookup::new(&environment);
    let region = settings.text("AWS_REGION")?;
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client())
        .timeout_config(timeouts(1))
        .retry_config(retries());
    Ok(match settings.text("AWS_ENDPOINT_URL") {
        Ok(url) => config.endpoint_url(url).build(),
        Err(_) => config.build(),
    })
}

/// For a person at a terminal: credentials and region from the environment, profiles, assumed
/// roles, and what else the AWS CLI knows, unless a profile or a region is named.
pub async fn load_profile(profile: Option<&str>, region: Option<String>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts(PERSONS_PATIENCE))
        .retry_config(retries());
    if let Some(name) = profile {
        loader = loader.profile_name(name);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    loader.load().await
}

/// For the local emulator: the same credentials for everybody, nothing from the environment.
pub fn emulator(endpoint_url: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id("test")
        .secret_access_key("test")
        .provider_name("emulator")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint_url)
        .http_client(http_client())
        .timeout_config(timeouts(PERSONS_PATIENCE))
        .retry_config(retries())
        .build()
}

/// Makes ring the process's TLS provider. Whoever comes first does it; later calls do nothing.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The first SDK client made with it reads the system's root certificates: 2 to 3 ms, spent at
/// start on purpose, when Lambda gives a function more of a processor than later. `SSL_CERT_FILE`
/// keeps that to one file.
fn http_client() -> SharedHttpClient {
    install_crypto();
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

fn timeouts(patience: u32) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT * patience)
        .operation_timeout(OPERATION_TIMEOUT * patience)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(TRIES)
}
