//! Pictures for the report, as SVG that looks the same everywhere.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::findings::written;

const WIDTH: f64 = 720.0;
const FONT: &str = "font-family='system-ui, sans-serif' font-size='13'";
const COLORS: [&str; 4] = ["#2563eb", "#d97706", "#059669", "#7c3aed"];
const LIMIT: &str = "#dc2626";

/// A picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Picture {
    /// The file's name, without `.svg`.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// Of the values.
    pub unit: String,
    /// A line that the values should stay below.
    pub limit: Option<f64>,
    /// How it shows it.
    pub drawing: Drawing,
}

/// How values are shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawing {
    /// One bar each, below each other.
    Bars(Vec<(String, f64)>),
    /// Lines over a common axis.
    Curves {
        /// What the axis below means.
        below: String,
        /// The lines.
        lines: Vec<Curve>,
    },
}

/// A line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

impl Picture {
    /// As a file of its own.
    pub fn svg(&self) -> String {
        let (height, inside) = match &self.drawing {
            Drawing::Bars(bars) => self.bars(bars),
            Drawing::Curves { below, lines } => self.curves(below, lines),
        };
        let title = escaped(&self.title);
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {FONT} role='img' aria-label='{title}'>\n\
             <rect width='100%' height='100%' fill='#ffffff'/>\n\
             <text x='16' y='26' font-size='15' font-weight='600' fill='#111827'>{title}</text>\n\
             {inside}</svg>\n"
        )
    }

    fn bars(&self, bars: &[(String, f64)]) -> (f64, String) {
        const LEFT: f64 = 250.0;
        const ROW: f64 = 30.0;
        const TOP: f64 = 44.0;
        let most = most(bars.iter().map(|(_, value)| *value).chain(self.limit));
        let scale = (WIDTH - LEFT - 110.0) / most;
        let mut out = String::new();
        let mut y = TOP;
        for (label, value) in bars {
            let (width, middle, label) = (value * scale, y + 17.0, escaped(label));
            let words = format!("{} {}", written(*value, decimals(most)), escaped(&self.unit));
            let _ = writeln!(
                out,
                "<text x='{}' y='{middle}' text-anchor='end' fill='#374151'>{label}</text>\n\
                 <rect x='{LEFT}' y='{}' width='{width:.1}' height='20' rx='3' fill='{}'/>\n\
                 <text x='{:.1}' y='{middle}' fill='#111827'>{words}</text>",
                LEFT - 10.0,
                y + 2.0,
                COLORS[0],
                LEFT + width + 8.0,
            );
            y += ROW;
        }
        if let Some(limit) = self.limit {
            let (x, unit) = (LEFT + limit * scale, escaped(&self.unit));
            let words = format!("budget {} {unit}", written(limit, decimals(most)));
            let _ = writeln!(
                out,
                "<line x1='{x:.1}' x2='{x:.1}' y1='{TOP}' y2='{y}' stroke='{LIMIT}' stroke-dasharray='5 4'/>\n\
                 <text x='{x:.1}' y='{}' text-anchor='middle' fill='{LIMIT}'>{words}</text>",
                y + 16.0
            );
        }
        (y + 30.0, out)
    }

    fn curves(&self, below: &str, lines: &[Curve]) -> (f64, String) {
        let frame = Frame::around(lines, self.limit);
        let mut out = frame.axes(&self.unit, below);
        let mut y = Frame::TOP + 14.0;
        for (line, color) in lines.iter().zip(COLORS.iter().cycle()) {
            let points: Vec<String> = line.points.iter().map(|point| frame.place(*point)).collect();
            let (points, name) = (points.join(" "), escaped(&line.name));
            let _ = writeln!(
                out,
                "<polyline points='{points}' fill='none' stroke='{color}' stroke-width='2'/>\n\
                 <text x='{}' y='{y}' fill='{color}'>{name}</text>",
                Frame::LEFT + 8.0 // the curves rise to the right
            );
            y += 17.0;
        }
        if let Some(limit) = self.limit {
            let (y, right) = (frame.y(limit), WIDTH - Frame::RIGHT);
            let _ = writeln!(
                out,
                "<line x1='{}' x2='{right}' y1='{y:.1}' y2='{y:.1}' stroke='{LIMIT}' stroke-dasharray='5 4'/>",
                Frame::LEFT,
            );
        }
        (Frame::HEIGHT, out)
    }
}

/// Where the values of curves are drawn.
struct Frame {
    /// The largest values that fit.
    right: f64,
    top: f64,
}

impl Frame {
    const HEIGHT: f64 = 330.0;
    const LEFT: f64 = 64.0;
    const RIGHT: f64 = 24.0;
    const TOP: f64 = 52.0;
    const BOTTOM: f64 = 280.0;

    fn around(lines: &[Curve], limit: Option<f64>) -> Self {
        let points = || lines.iter().flat_map(|line| line.points.iter());
        Self {
            right: most(points().map(|(x, _)| *x)),
            top: most(points().map(|(_, y)| *y).chain(limit)) * 1.05,
        }
    }

    fn x(&self, value: f64) -> f64 {
        Self::LEFT + value / self.right * (WIDTH - Self::LEFT - Self::RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        Self::BOTTOM - value / self.top * (Self::BOTTOM - Self::TOP)
    }

    fn place(&self, (x, y): (f64, f64)) -> String {
        format!("{:.1},{:.1}", self.x(x), self.y(y))
    }

    fn axes(&self, unit: &str, below: &str) -> String {
        let mut out = String::new();
        let (right, bottom) = (WIDTH - Self::RIGHT, Self::BOTTOM);
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (y, x) = (self.y(self.top * part), self.x(self.right * part));
            let value = written(self.top * part, decimals(self.top));
            let moment = written(self.right * part, decimals(self.right));
            let _ = writeln!(
                out,
                "<line x1='{}' x2='{right}' y1='{y:.1}' y2='{y:.1}' stroke='#e5e7eb'/>\n\
                 <text x='{}' y='{:.1}' text-anchor='end' fill='#6b7280'>{value}</text>\n\
                 <text x='{x:.1}' y='{}' text-anchor='middle' fill='#6b7280'>{moment}</text>",
                Self::LEFT,
                Self::LEFT - 8.0,
                y + 4.0,
                bottom + 18.0,
            );
        }
        let _ = writeln!(
            out,
            "<text x='16' y='42' fill='#6b7280'>{}</text>\n\
             <text x='{right}' y='{}' text-anchor='end' fill='#6b7280'>{}</text>",
            escaped(unit),
            bottom + 38.0,
            escaped(below),
        );
        out
    }
}

/// The largest of them; never 0, so that one can divide by it.
fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN_POSITIVE, f64::max)
}

/// As many digits behind the point as tell values of this size apart.
fn decimals(size: f64) -> usize {
    match size {
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(drawing: Drawing) -> String {
        let (file, title) = ("x".to_owned(), "a < b & 'c'".to_owned());
        Picture { file, title, unit: "ms".to_owned(), limit: Some(10.0), drawing }.svg()
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        let bars = [("half", 5.0), ("whole", 10.0)];
        let svg = picture(Drawing::Bars(bars.map(|(name, value)| (name.to_owned(), value)).into()));
        let widths: Vec<f64> = svg
            .lines()
            .filter_map(|line| line.split_once("width='")?.1.split_once("' height='20'"))
            .map(|(width, _)| width.parse().expect("a number"))
            .collect();
        assert_eq!(widths, [180.0, 360.0]);
        assert!(svg.contains("a &lt; b &amp; &#39;c&#39;") && svg.contains("budget 10.0 ms"));
    }

    #[test]
    fn curves_stay_within_their_frame() {
        let points = vec![(0.0, 0.0), (30.0, 20.0)];
        let lines = vec![Curve { name: "one".to_owned(), points }];
        let svg = picture(Drawing::Curves { below: "s".to_owned(), lines });
        let points = svg.split_once("polyline points='").expect("a line").1;
        assert!(points.starts_with("64.0,280.0 696.0,62.9'"), "{points}");
    }
}
