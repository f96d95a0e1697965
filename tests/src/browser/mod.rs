//! A headless Chromium that looks at the page as a person does: by what can be read and pressed.
//!
//! One browser for the whole run, a context of its own for every [`Page`]. Commands are lines of
//! JSON to `tests/page/driver.mjs`; everything waits for what it asks for, nothing sleeps.

mod driver;

use local::Layout;
use serde_json::{Value, json};

use driver::Driver;

/// How large the window is, and which colours the reader likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// For names of files.
    pub name: &'static str,
    /// In CSS pixels.
    pub width: u32,
    scheme: &'static str,
}

/// A desk by day.
pub const DESK: View = View { name: "light", width: 1280, scheme: "light" };
/// A desk by night.
pub const NIGHT: View = View { name: "dark", width: 1280, scheme: "dark" };
/// A phone.
pub const PHONE: View = View { name: "phone", width: 390, scheme: "light" };

/// Something on the page.
#[derive(Debug, Clone)]
pub struct Target(Value);

/// By its role and its whole name, as a screen reader says them.
pub fn role(role: &str, name: &str) -> Target {
    Target(json!({"role": role, "name": name}))
}

/// A button.
pub fn button(name: &str) -> Target {
    role("button", name)
}

/// An input, by its label.
pub fn field(label: &str) -> Target {
    Target(json!({"label": label, "exact": false}))
}

/// Whatever says this, among other things.
pub fn text(text: &str) -> Target {
    Target(json!({"text": text}))
}

/// By its place in the document, where people know it by its looks.
pub fn css(selector: &str) -> Target {
    Target(json!({"css": selector}))
}

impl Target {
    /// Only inside another.
    pub fn within(mut self, outer: &Target) -> Self {
        self.0["within"] = outer.0.clone();
        self
    }

    /// The n-th of several, from 0.
    pub fn nth(mut self, nth: usize) -> Self {
        self.0["nth"] = nth.into();
        self
    }

    /// Only with this text in it.
    pub fn saying(mut self, text: &str) -> Self {
        self.0["saying"] = text.into();
        self
    }

    /// By a part of its name.
    pub fn roughly(mut self) -> Self {
        self.0["exact"] = false.into();
        self
    }
}

/// A tab, with a storage and a clipboard of its own.
pub struct Page {
    driver: &'static Driver,
    number: u64,
}

impl Page {
    /// A new tab.
    pub async fn open(view: View) -> Self {
        let driver = Driver::shared();
        let page = Self { driver, number: driver.number() };
        page.with("open", size(view)).await;
        page
    }

    /// Goes to an address, also if only its fragment is another.
    pub async fn goto(&self, url: &str) {
        self.with("goto", json!({"url": url})).await;
    }

    /// Reads the page again.
    pub async fn reload(&self) {
        self.with("reload", json!({})).await;
    }

    /// Where it is.
    pub async fn address(&self) -> String {
        string(self.with("address", json!({})).await)
    }

    /// Presses it with the mouse, once it is there and can be pressed.
    pub async fn click(&self, target: Target) {
        self.on("click", target, json!({})).await;
    }

    /// Writes into an input.
    pub async fn fill(&self, target: Target, value: &str) {
        self.on("fill", target, json!({"value": value})).await;
    }

    /// Takes one of a list of choices.
    pub async fn choose(&self, target: Target, value: &str) {
        self.on("choose", target, json!({"value": value})).await;
    }

    /// Presses a key.
    pub async fn press(&self, key: &str) {
        self.with("press", json!({"key": key})).await;
    }

    /// Waits until it can be seen.
    pub async fn sees(&self, target: Target) {
        self.on("see", target, json!({})).await;
    }

    /// Waits until it cannot be seen.
    pub async fn misses(&self, target: Target) {
        self.on("gone", target, json!({})).await;
    }

    /// Whether keys go there.
    pub async fn is_focused(&self, target: Target) -> bool {
        self.on("focused", target, json!({})).await == true
    }

    /// What it says.
    pub async fn text(&self, target: Target) -> String {
        string(self.on("text", target, json!({})).await)
    }

    /// What each of several says.
    pub async fn texts(&self, target: Target) -> Vec<String> {
        strings(self.on("texts", target, json!({})).await)
    }

    /// How many there are now.
    pub async fn count(&self, target: Target) -> u64 {
        self.on("count", target, json!({})).await.as_u64().expect("a number")
    }

    /// What an expression is worth on the page.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.with("evaluate", json!({"script": script})).await
    }

    /// Waits until an expression is true on the page.
    pub async fn waits_for(&self, script: &str) {
        self.with("wait", json!({"script": script})).await;
    }

    /// What was copied.
    pub async fn clipboard(&self) -> String {
        string(self.with("clipboard", json!({})).await)
    }

    /// Looks at the same page in another way.
    pub async fn look(&self, view: View) {
        self.with("look", size(view)).await;
    }

    /// Keeps a picture of the whole page.
    pub async fn screenshot(&self, path: &std::path::Path) {
        self.with("screenshot", json!({"path": path})).await;
    }

    /// What axe finds wrong, for WCAG A and AA and good practice.
    pub async fn violations(&self) -> Vec<String> {
        strings(self.with("axe", json!({})).await)
    }

    /// Every address that was asked for, in order.
    pub async fn requests(&self) -> Vec<String> {
        strings(self.with("seen", json!({})).await["requests"].take())
    }

    /// Errors on the page, and dialogs that a script opened.
    pub async fn troubles(&self) -> Vec<String> {
        strings(self.with("seen", json!({})).await["troubles"].take())
    }

    async fn on(&self, command: &str, target: Target, mut given: Value) -> Value {
        given["target"] = target.0;
        self.with(command, given).await
    }

    async fn with(&self, command: &str, mut given: Value) -> Value {
        given["command"] = command.into();
        given["page"] = self.number.into();
        let asked = given.to_string();
        let answer = self.driver.ask(given).await;
        let Err(error) = answer else { return answer.unwrap_or_default() };
        let asked: String = asked.chars().take(1_000).collect();
        let picture = self.last_picture().await;
        panic!("{error}\nasked: {asked}\n{picture}")
    }

    /// What the page shows as a test fails, for people to look at.
    async fn last_picture(&self) -> String {
        let path = Layout::of_this_clone().state().join(format!("page/failed-{}.png", self.number));
        let shot = json!({"command": "screenshot", "page": self.number, "path": path});
        match self.driver.ask(shot).await {
            Ok(_) => format!("what it showed: {}", path.display()),
            Err(error) => format!("no picture: {error}"),
        }
    }
}

fn size(view: View) -> Value {
    json!({"width": view.width, "height": 844, "scheme": view.scheme})
}

fn string(value: Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn strings(value: Value) -> Vec<String> {
    value.as_array().expect("a list").iter().cloned().map(string).collect()
}
