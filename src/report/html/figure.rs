//! A figure in the page: SVG that plumb drew, thinned where it has too many points.

use crate::error::{Error, Result};
use maud::{Markup, PreEscaped, html};
use std::path::Path;

/// An SVG that plumb drew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    name: String,
    svg: String,
}

impl Picture {
    /// Takes the SVG of a file.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything but an SVG as plumb writes them: a page must not run what stands in a foreign file.
    pub fn new(path: &Path, svg: String) -> Result<Self> {
        if let Err(problem) = check(&svg) {
            return Err(Error::Malformed {
                path: path.to_owned(),
                problem: format!(
                    "it is no SVG that plumb drew ({problem}), and will not be put into a page; remove it or draw it again"
                ),
            });
        }
        let name = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or("figure");
        Ok(Self {
            name: name.to_owned(),
            svg,
        })
    }

    /// What the figure says, as its file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn bytes(&self) -> usize {
        self.svg.len()
    }

    /// The figure in at most about `room` bytes.
    pub(super) fn show(&self, id: &str, room: usize) -> Markup {
        let (svg, kept) = thin(&self.svg, room);
        html! {
            figure id=(id) {
                div.paper { (PreEscaped(svg)) }
                @if let Some((shown, all)) = kept {
                    figcaption { "Shows " (shown) " of " (all) " points, every " (all.div_ceil(shown.max(1))) "th; the whole figure is in the folder." }
                }
            }
        }
    }
}

/// The elements that plumb draws with.
const ELEMENTS: [&str; 8] = [
    "svg", "title", "desc", "rect", "circle", "polygon", "polyline", "text",
];

/// Their attributes. None can name another file or a script.
const ATTRIBUTES: [&str; 22] = [
    "aria-label",
    "cx",
    "cy",
    "fill",
    "font-family",
    "font-size",
    "font-weight",
    "height",
    "opacity",
    "points",
    "r",
    "role",
    "stroke",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-width",
    "text-anchor",
    "transform",
    "viewBox",
    "width",
    "x",
    "y",
];

/// Whether an SVG is well-formed and holds nothing but what plumb draws with; else what is wrong.
fn check(svg: &str) -> std::result::Result<(), String> {
    if !svg.starts_with("<svg ") {
        return Err("it does not begin with `<svg `".to_owned());
    }
    let document = roxmltree::Document::parse(svg).map_err(|e| e.to_string())?;
    for node in document.descendants() {
        if node.is_pi() || node.is_comment() {
            return Err("it has comments or instructions".to_owned());
        }
        if !node.is_element() {
            continue;
        }
        let name = node.tag_name().name();
        if !ELEMENTS.contains(&name) {
            return Err(format!("it has an element `{name}`"));
        }
        // A value such as `url(http://…)` would load another file.
        let bad = |a: &roxmltree::Attribute<'_, '_>| {
            a.namespace().is_some()
                || !ATTRIBUTES.contains(&a.name())
                || (a.name() != "aria-label" && a.value().contains("url"))
        };
        if let Some(attribute) = node.attributes().find(bad) {
            return Err(format!("`{name}` has an attribute `{}`", attribute.name()));
        }
    }
    Ok(())
}

/// Leaves out points, evenly, until the figure fits; tells how many of how many are left.
fn thin(svg: &str, room: usize) -> (String, Option<(usize, usize)>) {
    if svg.len() <= room {
        return (svg.to_owned(), None);
    }
    let point = |line: &str| line.starts_with("<circle ") || line.contains("><title>");
    let (points, size) = svg
        .lines()
        .filter(|l| point(l))
        .fold((0, 0), |(n, size), l| (n + 1, size + l.len() + 1));
    let spare = room.saturating_sub(svg.len() - size).max(1);
    let every = size.div_ceil(spare).max(1);
    let mut seen = 0;
    let mut shown = 0;
    let mut thinned = String::with_capacity(room.min(svg.len()));
    for line in svg.lines() {
        if point(line) {
            seen += 1;
            if seen % every != 0 {
                continue;
            }
            shown += 1;
        }
        thinned.push_str(line);
        thinned.push('\n');
    }
    (thinned, Some((shown, points)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(points: usize) -> String {
        let mut svg = "<svg xmlns=\"x\">\n<rect/>\n".to_owned();
        for i in 0..points {
            svg += &format!("<circle cx=\"{i}\"/>\n");
        }
        svg + "</svg>\n"
    }

    #[test]
    fn a_figure_with_too_many_points_is_thinned_evenly_and_says_so() {
        let (thinned, kept) = thin(&svg(1000), 4000);
        let (shown, all) = kept.unwrap();
        assert_eq!(all, 1000);
        assert!(thinned.len() <= 4000 && shown > 100, "{shown}");
        assert!(thinned.ends_with("</svg>\n"));
        assert_eq!(thin(&svg(3), 4000).1, None);
    }

    #[test]
    fn foreign_files_do_not_come_into_the_page() {
        let path = Path::new("chart.svg");
        let new = |svg: &str| Picture::new(path, svg.to_owned());
        assert!(new(&svg(2)).is_ok());
        let text = "<svg ><text>turned on = off, &lt;script&gt;, href, onload=x</text></svg>";
        assert!(new(text).is_ok(), "letters are harmless: {:?}", new(text));
        for bad in [
            "<svg ><script>alert(1)</script></svg>",
            "<svg onload=\"x()\"></svg>",
            "<svg ><circle\nonclick='x()'/></svg>",
            "<svg ><circle\tOnClick='x()'/></svg>",
            "<svg ><a href=\"http://x\"></a></svg>",
            "<svg xmlns:x=\"http://www.w3.org/1999/xlink\"><g x:r=\"http://x\"/></svg>",
            "<svg ><rect fill=\"url(http://x)\"/></svg>",
            "<svg ><style>*{background:url(http://x)}</style></svg>",
            "<svg ><foreignObject/></svg>",
            "<svg ></svg><script/>",
            "<svg ><!-- --></svg>",
            "<svg ><text></svg>",
            "<html></html>",
            "",
        ] {
            assert!(new(bad).is_err(), "{bad}");
        }
    }
}
