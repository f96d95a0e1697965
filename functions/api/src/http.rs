//! A request and a response, as Lambda and the tests share them, and the payload format 2.0 of
//! function URLs.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// As it was sent, without the query.
    pub path: String,
    /// As it was sent, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The raw body.
    pub body: Vec<u8>,
    /// The function URL's own name, as Lambda tells it; never what a caller put into a header.
    pub domain: String,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names as they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty where there is none.
    pub body: String,
}

impl Request {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Response {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// An answer of any type.
    pub fn text(status: u16, content_type: &str, body: String) -> Self {
        let mut response = Self::empty(status);
        response.headers.push(("Content-Type", content_type.to_owned()));
        response.body = body;
        response
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        let headers = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { status, headers, body: String::new() }
    }

    /// Gives a header one value, in the place of any other.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name, value.to_owned()));
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A request as a function URL hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlRequest {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: Context,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default, rename = "domainName")]
    domain: String,
    http: Http,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

/// A response as a function URL takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlResponse {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<UrlRequest> for Request {
    fn from(request: UrlRequest) -> Self {
        let body = request.body.unwrap_or_default();
        let body = match request.is_base64_encoded {
            // What is no base64 did not come from a function URL: there is no body to be had.
            true => STANDARD.decode(body).unwrap_or_default(),
            false => body.into_bytes(),
        };
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        Self {
            method: request.request_context.http.method.to_ascii_uppercase(),
            path: request.raw_path,
            query: request.raw_query_string,
            headers: request.headers.into_iter().map(lower).collect(),
            body,
            domain: request.request_context.domain,
        }
    }
}

impl From<Response> for UrlResponse {
    fn from(response: Response) -> Self {
        Self {
            status_code: response.status,
            headers: response.headers.into_iter().collect(),
            body: response.body,
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_function_urls_request() {
        let request: UrlRequest = serde_json::from_value(json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/v1/endpoints",
            "rawQueryString": "limit=1&cursor=a%3D", "headers": {"Authorization": "Bearer x"},
            "requestContext": {"domainName": "abc.lambda-url.us-east-1.on.aws", "http": {"method": "post", "path": "/v1/endpoints"}},
            "body": STANDARD.encode("{}"), "isBase64Encoded": true,
        }))
        .expect("readable");
        let request = Request::from(request);
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/endpoints"));
        assert_eq!(request.domain, "abc.lambda-url.us-east-1.on.aws");
        assert_eq!(request.query, "limit=1&cursor=a%3D");
        assert_eq!(request.header("authorization"), Some("Bearer x"));
        assert_eq!(request.body, b"{}");
    }

    #[test]
    fn a_function_urls_response() {
        let response = UrlResponse::from(Response::json(404, &json!({"a": 1})));
        let value = serde_json::to_value(response).expect("JSON");
        assert_eq!(value["statusCode"], 404);
        assert_eq!(value["body"], r#"{"a":1}"#);
        assert_eq!(value["headers"]["Content-Type"], "application/json");
    }
}
