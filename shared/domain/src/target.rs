//! What a URL must be before anything is sent to it. The full egress rules (addresses, names,
//! what DNS answers) build on this; a URL that fails here is refused when it is saved.

use url::Url;

use crate::limits::URL_CHARS;

/// What a stack allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRules {
    /// https only: the only rule in production.
    PublicHttps,
    /// http too: for a stack on one machine. Refused by template and binaries unless the stage is
    /// `local`.
    InsecureForLocal,
}

/// Why a URL is refused; the texts are for the owner of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Above [`URL_CHARS`].
    #[error("the URL is longer than 2,048 characters")]
    TooLong,
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
}

/// Checks a URL and returns it as it will be dialled.
///
/// # Errors
/// The first rule it breaks.
pub fn check_url(text: &str, rules: TargetRules) -> Result<Url, UrlError> {
    if text.len() > URL_CHARS {
        return Err(UrlError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| UrlError::NotAUrl)?;
    match (url.scheme(), rules) {
        ("https", _) | ("http", TargetRules::InsecureForLocal) => {}
        (_, _) => return Err(UrlError::NotHttps),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_why_not() {
        use TargetRules::{InsecureForLocal, PublicHttps};
        for (text, rules, expected) in [
            ("https://hooks.example.com/in?a=b", PublicHttps, Ok(())),
            ("http://hooks.example.com/", PublicHttps, Err(UrlError::NotHttps)),
            ("http://127.0.0.1:8000/", InsecureForLocal, Ok(())),
            ("ftp://hooks.example.com/", InsecureForLocal, Err(UrlError::NotHttps)),
            ("https://a:b@hooks.example.com/", PublicHttps, Err(UrlError::UserInfo)),
            ("https://hooks.example.com/#x", PublicHttps, Err(UrlError::Fragment)),
            ("hooks.example.com", PublicHttps, Err(UrlError::NotAUrl)),
            ("https://", PublicHttps, Err(UrlError::NotAUrl)),
            ("mailto:a@example.com", PublicHttps, Err(UrlError::NotHttps)),
        ] {
            assert_eq!(check_url(text, rules).map(|_| ()), expected, "{text}");
        }
        let long = format!("https://hooks.example.com/{}", "x".repeat(URL_CHARS));
        assert_eq!(check_url(&long, PublicHttps).map(|_| ()), Err(UrlError::TooLong));
    }
}
