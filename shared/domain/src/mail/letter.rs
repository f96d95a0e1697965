//! A letter's form, as text and as HTML.

/// What a letter says.
pub(super) struct Letter {
    pub headline: &'static str,
    pub intro: String,
    pub facts: Vec<(&'static str, String)>,
    /// A stranger's text, cut; made inert here.
    pub example: Option<String>,
    pub to_do: Vec<&'static str>,
    pub kept: String,
    pub way_back: Vec<String>,
    pub link: String,
}

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO: &str = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px";

impl Letter {
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", self.headline, self.intro);
        for (label, value) in &self.facts {
            text += &format!("{label}: {}\n", one_line(value));
        }
        if let Some(example) = &self.example {
            text += &format!("\nIt answered, for example:\n\n    {}\n", inert(&one_line(example)));
        }
        text += "\nWhat to do\n";
        self.to_do.iter().for_each(|line| text += &format!("- {line}\n"));
        text += "\nThe way back\n";
        self.way_back.iter().for_each(|line| text += &format!("- {line}\n"));
        text += &format!("- {}\n\nThe endpoint and its log: {}\n", self.kept, self.link);
        text
    }

    /// Tables and inline styles, because that is what mail programs show alike. The colours are
    /// told from each other in dark mode, too.
    pub fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"format-detection\" content=\"telephone=no,url=no,email=no\">\
             <title>{0}</title></head>\
             <body style=\"margin:0;padding:24px 12px;background:#f4f5f7;color:#1c1e21;{FONT}\">\
             <div style=\"max-width:600px;margin:0 auto;background:#ffffff;border-radius:8px;\
             padding:28px 32px;font-size:15px;line-height:1.5\">\
             <h1 style=\"font-size:20px;line-height:1.3;margin:0 0 12px\">{0}</h1><p>{1}</p>",
            escape(self.headline),
            escape(&self.intro)
        );
        html += "<table role=\"presentation\" style=\"border-collapse:collapse;width:100%\">";
        for (label, value) in &self.facts {
            html += &format!(
                "<tr><td style=\"padding:6px 16px 6px 0;color:#5f6570;vertical-align:top;\
                 width:30%;border-top:1px solid #e4e6ea\">{}</td><td style=\"padding:6px 0;\
                 vertical-align:top;border-top:1px solid #e4e6ea;overflow-wrap:anywhere\">{}</td></tr>",
                escape(label),
                escape(value)
            );
        }
        html += "</table>";
        if let Some(example) = &self.example {
            html += &format!(
                "<p style=\"margin-bottom:6px\">It answered, for example:</p>\
                 <pre style=\"margin:0;padding:12px;background:#f4f5f7;border-radius:6px;\
                 white-space:pre-wrap;overflow-wrap:anywhere;{MONO}\">{}</pre>",
                escape(&inert(example))
            );
        }
        html += &section("What to do", self.to_do.iter().copied());
        let back = self.way_back.iter().map(String::as_str).chain([self.kept.as_str()]);
        html += &section("The way back", back);
        html += &format!(
            "<p style=\"margin:24px 0 0\"><a href=\"{0}\" style=\"display:inline-block;\
             background:#1a56db;color:#ffffff;text-decoration:none;padding:10px 18px;\
             border-radius:6px\">Open the endpoint and its log</a></p>\
             <p style=\"color:#5f6570;font-size:13px;overflow-wrap:anywhere\">{0}</p>\
             </div></body></html>",
            escape(&self.link)
        );
        html
    }
}

fn section<'l>(title: &str, lines: impl Iterator<Item = &'l str>) -> String {
    let mut html = format!("<h2 style=\"font-size:16px;margin:24px 0 6px\">{}</h2>", escape(title));
    html += "<ul style=\"margin:0;padding-left:20px;overflow-wrap:anywhere\">";
    lines.for_each(|line| html += &format!("<li>{}</li>", escape(line)));
    html + "</ul>"
}

/// Text that no mail program makes a link of: a zero-width space stands behind whatever would
/// hold an address together. Control characters, and those that turn the direction of writing,
/// become spaces.
pub(super) fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '.' | ':' | '/' | '@' => {
                out.push(c);
                out.push('\u{200b}');
            }
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push(' ');
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text between tags, or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
