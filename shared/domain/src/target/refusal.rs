//! Why a target is refused, for programs and for people.

use crate::address::AddressKind;

/// The rule that a target breaks. The texts are for the owner of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Above [`crate::limits::URL_CHARS`].
    #[error("the URL is longer than 2,048 characters")]
    TooLong,
    /// Characters that programs read differently.
    #[error("the URL must not contain spaces, line breaks, control characters or backslashes")]
    Characters,
    /// Not a URL with a host.
    #[error("this is not a complete URL such as https://hooks.example.com/rackwave")]
    NotAUrl,
    /// Another scheme.
    #[error("the URL must start with https://")]
    NotHttps,
    /// `user:password@`.
    #[error("the URL must not contain a user name or password")]
    UserInfo,
    /// `#…`: it would never be sent.
    #[error("the URL must not contain a fragment (#…)")]
    Fragment,
    /// Nothing can listen there.
    #[error("port 0 cannot be called")]
    Port,
    /// Not the name of a host.
    #[error("the URL's host is not a valid host name")]
    NotAHost,
    /// A name without a dot.
    #[error("the URL's host must be a full public name such as hooks.example.com")]
    SingleLabel,
    /// A name of the inside of a network or machine.
    #[error("the URL's host is a local name; webhooks are sent to public addresses only")]
    LocalName,
    /// An address that is not public.
    #[error("it leads to {}; webhooks are sent to public addresses only", .0.words())]
    Address(AddressKind),
    /// The function's own runtime, on a local stack.
    #[error("it leads to an address that webhooks are not sent to")]
    RuntimeApi,
    /// The name resolved to nothing.
    #[error("the URL's host has no address")]
    NoAnswer,
}

impl Refusal {
    /// As programs see it.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::TooLong => "too_long",
            Refusal::Characters => "bad_characters",
            Refusal::NotAUrl => "not_a_url",
            Refusal::NotHttps => "not_https",
            Refusal::UserInfo => "user_info",
            Refusal::Fragment => "fragment",
            Refusal::Port => "bad_port",
            Refusal::NotAHost => "bad_host",
            Refusal::SingleLabel => "single_label",
            Refusal::LocalName => "local_name",
            Refusal::Address(kind) => kind.code(),
            Refusal::RuntimeApi => "runtime_api",
            Refusal::NoAnswer => "no_answer",
        }
    }
}
