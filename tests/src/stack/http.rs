//! Calls of the API over HTTP, as a dashboard makes them.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; null if there is none, a string if it is no JSON.
    pub body: Value,
}

/// Somebody with a key, or without.
pub struct ApiClient {
    /// Ends in a slash.
    pub url: String,
    /// The API key.
    pub key: Option<String>,
}

impl ApiClient {
    /// Reads; the path is relative to the API's address.
    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None, &[]).await
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(body), &[]).await
    }

    /// Any call.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let address = self.url.trim_start_matches("http://");
        let (host, prefix) = address.split_once('/').expect("ends in a slash");
        let named = headers.iter().find(|(name, _)| *name == "host").map(|(_, host)| *host);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/{prefix}{path}"))
            .header("host", named.unwrap_or(host))
            .header("content-type", "application/json");
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let answered = tokio::time::timeout(super::PATIENCE, send(host, request)).await;
        answered.expect("answered in time")
    }
}

async fn send(host: &str, request: Request<Full<Bytes>>) -> Reply {
    let stream = TcpStream::connect(host).await.expect("the emulator listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    let text =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let header = |(name, value): (&hyper::header::HeaderName, _)| (name.to_string(), text(value));
    let headers = response.headers().iter().map(header).collect();
    let body = response.into_body().collect().await.expect("a whole answer").to_bytes();
    connection.abort();
    let body = match body.as_ref() {
        b"" => Value::Null,
        bytes => serde_json::from_slice(bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into()),
    };
    Reply { status, headers, body }
}
