//! The delivery-log page: plain files, embedded as they stand in `functions/api/page`.
//!
//! The page itself needs no key and holds no data; what it shows it asks of `/v1`. Its files lie
//! under a path that changes with their content, so browsers keep them for good; the page that
//! names them is asked for each time, and answered with 304 if it is the same.

use std::sync::LazyLock;

use domain::ids::{hash_fields, hex};

use crate::http::{Request, Response};

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Below `page/<version>/`.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(File { name: $name, text: include_str!(concat!("../page/", $name)) }),*]
    };
}

/// The document.
pub const INDEX: &str = include_str!("../page/index.html");

/// Everything that the document loads.
pub const FILES: &[File] = files![
    "api.js",
    "app.js",
    "attempts.js",
    "check.js",
    "delivery.js",
    "dialog.js",
    "dom.js",
    "edit.js",
    "endpoint.js",
    "endpoints.js",
    "event_choice.js",
    "filters.js",
    "find.js",
    "log.js",
    "notices.js",
    "plain.js",
    "receivers/receiver.mjs",
    "receivers/receiver.php",
    "receivers/receiver.py",
    "recover.js",
    "request.js",
    "retry.js",
    "row.js",
    "secrets.js",
    "session.js",
    "signature.js",
    "strip.js",
    "style.css",
    "teach.js",
    "test_event.js",
    "when.js",
    "words.js",
];

impl File {
    /// As it is sent: scripts and styles without the comments and indentation that are for us.
    /// Receivers, which people copy, as they stand.
    fn served(&self) -> String {
        let is_code = self.name.ends_with(".js") || self.name.ends_with(".css");
        if !is_code {
            return self.text.to_owned();
        }
        let is_comment = |line: &str| {
            line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"))
        };
        let lines = self.text.lines().map(str::trim);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !is_comment(line)).collect();
        lines.iter().map(|line| format!("{line}{}", end_of(line))).collect()
    }
}

/// What follows a line as served: nothing where neither JavaScript nor CSS minds.
fn end_of(line: &str) -> &'static str {
    let is_open = line.ends_with([',', ';', '(', '[', '{']);
    if is_open && !line.contains("// ") { "" } else { "\n" }
}

/// A hash of all that is in the page.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let named = FILES.iter().flat_map(|file| [file.name, file.text]);
    let parts: Vec<&str> = std::iter::once(INDEX).chain(named).collect();
    hex(&hash_fields(&parts)[..8])
});

/// The document, with its files where they are, and all modules asked for at once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let modules = FILES.iter().filter(|file| file.name.ends_with(".js"));
    let preloads: String = modules
        .map(|file| format!("<link rel=\"modulepreload\" href=\"page/{}\">\n", file.name))
        .collect();
    let whole = INDEX.replace("</head>", &format!("{preloads}</head>"));
    whole.replace("\"page/", &format!("\"page/{}/", *VERSION))
});

/// The answer to a request for the page or one of its files; nothing if it is for neither.
pub(crate) fn answer(request: &Request, frame_ancestors: &str) -> Option<Response> {
    let is_head = match request.method.as_str() {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let mut response = match request.path.as_str() {
        "/" | "" => document(request, frame_ancestors),
        path => file(path)?,
    };
    if is_head {
        response.body.clear();
    }
    Some(response)
}

fn document(request: &Request, frame_ancestors: &str) -> Response {
    let tag = format!("\"{}\"", *VERSION);
    let known = request.header("if-none-match").unwrap_or_default();
    let mut response = match known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
    {
        true => Response::empty(304),
        false => Response::text(200, "text/html; charset=utf-8", DOCUMENT.clone()),
    };
    response.set("Cache-Control", "no-cache");
    response.set("ETag", &tag);
    response.set("Content-Security-Policy", &policy(frame_ancestors));
    response.set("Referrer-Policy", "no-referrer");
    response
}

fn file(path: &str) -> Option<Response> {
    let name = path.strip_prefix("/page/")?.strip_prefix(VERSION.as_str())?.strip_prefix('/')?;
    let file = FILES.iter().find(|file| file.name == name)?;
    let content_type = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::text(200, content_type, file.served());
    response.set("Cache-Control", "public, max-age=31536000, immutable");
    Some(response)
}

/// Nothing from elsewhere, nothing inline, and no text that ever becomes markup.
fn policy(frame_ancestors: &str) -> String {
    let ancestors = if frame_ancestors.is_empty() { "'none'" } else { frame_ancestors };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors {ancestors}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Option<Response> {
        answer(&Request { method: "GET".into(), path: path.into(), ..Request::default() }, "")
    }

    #[test]
    fn all_of_it_is_under_100_kb() {
        let bytes: usize = FILES.iter().map(|file| file.served().len()).sum();
        let all = bytes + DOCUMENT.len();
        assert!(all < 100_000, "{all} bytes");
    }

    #[test]
    fn no_text_goes_over_a_lines_end() {
        // So no line of a text can be taken for a comment, and no indentation is part of one.
        for file in FILES.iter().filter(|file| file.name.ends_with(".js")) {
            for line in file.text.lines() {
                assert!(line.matches('`').count() % 2 == 0, "{}: {line}", file.name);
                assert!(!line.contains("/*") || line.ends_with("*/"), "{}: {line}", file.name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_no_other() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let names = |below: &str| -> Vec<String> {
            let entries = std::fs::read_dir(format!("{folder}/{below}")).expect("readable");
            let names = entries.map(|entry| entry.expect("readable").file_name());
            names.map(|name| format!("{below}{}", name.to_string_lossy())).collect()
        };
        let mut there = [names(""), names("receivers/")].concat();
        there.retain(|name| name != "receivers" && name != "index.html");
        there.sort();
        let served: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        assert_eq!(served, there);
        for name in served {
            let path = format!("/page/{}/{name}", *VERSION);
            assert_eq!(get(&path).expect("served").status, 200, "{name}");
        }
        for path in ["/page/", "/page/app.js", "/page/x/app.js", "/page", "/index.html"] {
            assert_eq!(get(path), None, "{path}");
        }
    }

    #[test]
    fn the_document_names_its_files_relatively_and_is_asked_for_each_time() {
        let page = get("/").expect("the page");
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(page.body.contains(&format!("src=\"page/{}/app.js\"", *VERSION)));
        for absolute in ["=\"/", "http:", "https:", "//"] {
            let elsewhere = page.body.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains(absolute), "{absolute}");
        }
        let tag = page.header("etag").expect("a tag").to_owned();
        let again = Request {
            method: "GET".into(),
            path: "/".into(),
            headers: [("if-none-match".to_owned(), tag)].into(),
            ..Request::default()
        };
        let again = answer(&again, "").expect("the page");
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }

    #[test]
    fn only_the_named_may_frame_it_and_nothing_is_loaded_from_elsewhere() {
        let request = Request { method: "HEAD".into(), path: "/".into(), ..Request::default() };
        let policy = |ancestors: &str| {
            let response = answer(&request, ancestors).expect("the page");
            assert_eq!(response.body, "");
            response.header("content-security-policy").expect("a policy").to_owned()
        };
        assert!(policy("").ends_with("frame-ancestors 'none'"));
        let portal = "https://portal.example.com https://*.example.org";
        assert!(policy(portal).ends_with(&format!("frame-ancestors {portal}")));
        let policy = policy("");
        assert!(policy.contains("default-src 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
}
